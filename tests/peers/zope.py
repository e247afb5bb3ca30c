"""A real Zope cluster: one ZEO storage server and any number of Zope instances on it.

Every instance names itself in the `Server` field of its answers (waitress calls that `ident`), which
is how a test knows who answered.
"""

import base64
import http.client
import os
import subprocess
import sys
import urllib.parse
from pathlib import Path

from . import wait
from .process import Process

ADMIN = ("admin", "wooden-spoon")

ZEO_CONF = """\
<zeo>
  address 127.0.0.1:{port}
</zeo>
<filestorage 1>
  path {home}/Data.fs
</filestorage>
<eventlog>
  level warn
  <logfile>
    path STDOUT
  </logfile>
</eventlog>
"""

ZOPE_CONF = """\
%import ZEO
instancehome {home}
<zodb_db main>
  cache-size 5000
  mount-point /
  <clientstorage>
    server 127.0.0.1:{zeo}
    storage 1
    name {name}
    wait-timeout 60
  </clientstorage>
</zodb_db>
"""

ZOPE_INI = """\
[app:zope]
use = egg:Zope#main
zope_conf = {home}/etc/zope.conf

[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = {port}
ident = {name}
threads = 4
trusted_proxy = 127.0.0.1
trusted_proxy_count = 1
trusted_proxy_headers = x-forwarded-for x-forwarded-proto
clear_untrusted_proxy_headers = true

[pipeline:main]
pipeline = egg:Zope#httpexceptions
    zope

[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = WARNING
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = plain
[formatter_plain]
format = %(asctime)s %(levelname)s [%(name)s] %(message)s
"""


def script(name):
    """A command of the environment this interpreter runs in."""
    return Path(sys.executable).parent / name


class Answer:
    """What came back: status, fields (`http.client.HTTPMessage`), body, and who answered."""

    def __init__(self, response):
        self.status = response.status
        self.fields = response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def server(self):
        return self.fields.get("Server", "")


class Browser:
    """A client that keeps its cookies and, if told so, sends the administrator's password.

    With `tls`, an `ssl.SSLContext`, it speaks HTTPS and wants the certificate of `name`. Redirects are not followed: the
    tests look at them.
    """

    def __init__(self, port, user=None, host="127.0.0.1", name=None, tls=None):
        self.port, self.host, self.name, self.tls = port, host, name, tls
        self.cookies = {}
        self.fields = {}
        if user:
            word = base64.b64encode(":".join(user).encode()).decode()
            self.fields["Authorization"] = f"Basic {word}"

    def request(self, method, path, body=None, content_type=None):
        headers = dict(self.fields)
        if self.name:
            headers["Host"] = self.name
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if content_type:
            headers["Content-Type"] = content_type
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            if self.tls:
                connection.connect()
                connection.sock = self.tls.wrap_socket(connection.sock, server_hostname=self.name.partition(":")[0])
            connection.request(method, path, body, headers)
            answer = Answer(connection.getresponse())
        finally:
            connection.close()
        for cookie in answer.fields.get_all("Set-Cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, form):
        """Sends a form as a browser does."""
        body = urllib.parse.urlencode(form)
        return self.send_body(path, body, "application/x-www-form-urlencoded")

    def send_body(self, path, body, content_type):
        return self.request("POST", path, body, content_type)


class Zope:
    """One instance: made once, started and killed as often as a test likes."""

    def __init__(self, home, name, zeo_port):
        self.home, self.name = Path(home), name
        self.port = wait.free_port()
        self.process = None
        subprocess.run(
            [script("mkwsgiinstance"), "-d", self.home, "-u", ":".join(ADMIN)],
            check=True,
            capture_output=True,
            timeout=120,
        )
        self.write("zope.conf", ZOPE_CONF.format(home=home, name=name, zeo=zeo_port))
        self.write("zope.ini", ZOPE_INI.format(home=home, name=name, port=self.port))

    def write(self, name, text):
        (self.home / "etc" / name).write_text(text)

    def launch(self):
        """Starts it without waiting; see `ready`."""
        command = [script("runwsgi"), self.home / "etc/zope.ini"]
        self.process = Process(command, self.home / "output.log", cwd=self.home)
        return self

    def ready(self):
        self.process.ready(lambda: wait.listens(self.port), within=90)
        return self

    def browser(self, user=None):
        """A client that speaks to this instance directly, past any proxy."""
        return Browser(self.port, user)

    def kill(self):
        self.process.kill()

    def stop(self):
        if self.process:
            self.process.stop()


class Cluster:
    """`count` instances on one ZEO storage, with the little site that the tests use."""

    def __init__(self, home, count):
        self.home = Path(home)
        os.makedirs(self.home / "zeo")
        self.zeo_port = wait.free_port()
        (self.home / "zeo/zeo.conf").write_text(
            ZEO_CONF.format(port=self.zeo_port, home=self.home / "zeo")
        )
        self.zeo = Process(
            [script("runzeo"), "-C", self.home / "zeo/zeo.conf"],
            self.home / "zeo/output.log",
            cwd=self.home / "zeo",
        )
        self.instances = []
        try:
            self.zeo.ready(lambda: wait.listens(self.zeo_port))
            self.instances = [
                Zope(self.home / f"zope{n}", f"zope{n}", self.zeo_port) for n in range(1, count + 1)
            ]
            # One after the other: each adds to the root of the storage what it misses there, and
            # two that do so at once conflict.
            for zope in self.instances:
                zope.launch().ready()
            build_site(self.instances[0].browser(ADMIN))
        except BaseException:
            self.stop()
            raise

    def named(self, name):
        """The instance whose answers carry `Server: name`."""
        return next(zope for zope in self.instances if zope.name == name)

    def stop(self):
        for zope in self.instances:
            zope.stop()
        self.zeo.stop()


def build_site(admin):
    """Through the management forms, as an administrator would: where session data lies, and a visit counter."""
    made = [
        admin.post("/manage_addProduct/OFSP/manage_addFolder", {"id": "temp_folder", "title": ""}),
        admin.post(
            "/temp_folder/manage_addProduct/Transience/constructTransientObjectContainer",
            {"id": "session_data", "title": "", "timeout_mins:int": "20", "period_secs:int": "20"},
        ),
    ]
    for name, parameters, body in SCRIPTS:
        made.append(
            admin.post("/manage_addProduct/PythonScripts/manage_addPythonScript", {"id": name})
        )
        made.append(
            admin.post(
                f"/{name}/ZPythonScriptHTML_editAction",
                {"title": "", "params": parameters, "body": body},
            )
        )
    for answer in made:
        assert answer.status in (200, 302), f"{answer.status}: {answer.text}"


# `log_in` opens a session (the `_ZopeId` cookie and data in the storage), `visit` counts in it, `where` tells what Zope
# takes for its own address and the visitor's.
SCRIPTS = [
    (
        "log_in",
        "name",
        "session = container.REQUEST.SESSION\n"
        "session.set('name', name)\n"
        "session.set('visits', 0)\n"
        "return 'welcome, %s' % name\n",
    ),
    (
        "visit",
        "",
        "session = container.REQUEST.SESSION\n"
        "session.set('visits', session.get('visits', 0) + 1)\n"
        "return '%s %d' % (session.get('name', 'nobody'), session.get('visits'))\n",
    ),
    ("where", "", "return '%s %s' % (container.REQUEST['SERVER_URL'], container.REQUEST['REMOTE_ADDR'])\n"),
]
