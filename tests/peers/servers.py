"""nginx and gunicorn as back-ends: servers that know nothing of these tests."""

import shutil
import sys
from pathlib import Path

from . import wait
from .process import Process

NGINX = """\
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log;
{user}
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  default_type text/plain;
  server {{
    listen 127.0.0.1:{port};
    root {home}/www;
    location /whoami {{ return 200 "nginx $request_method $request_uri $http_host\\n"; }}
    location /away {{ return 302 http://$http_host/whoami; }}
    location /dav/ {{ dav_methods PUT DELETE MKCOL COPY MOVE; create_full_put_path on; root {home}/www; }}
  }}
}}
"""

# The application of the gunicorn tests: what arrived is told in the answer.
WSGI = '''\
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"line %d\\n" % number for number in range(1000))
    body = environ["wsgi.input"].read()
    text = b"gunicorn %s %s %d %s" % (
        environ["REQUEST_METHOD"].encode(), path.encode(), len(body), body[:64])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
'''


class Nginx:
    """nginx with the files of `home/www`."""

    def __init__(self, home):
        self.home = Path(home)
        self.www = self.home / "www"
        (self.www / "dav").mkdir(parents=True)
        self.port = wait.free_port()
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        # As root nginx would give its files to `nobody`, who may not enter this folder.
        user = "user root;" if Path("/proc/self").owner() == "root" else ""
        config = self.home / "nginx.conf"
        config.write_text(NGINX.format(home=self.home, port=self.port, user=user))
        command = [program, "-p", self.home, "-e", self.home / "error.log", "-c", config]
        self.process = Process(command, self.home / "nginx.log")
        self.process.ready(lambda: wait.listens(self.port))

    def stop(self):
        self.process.stop()


class Gunicorn:
    """gunicorn with two threads and the application above."""

    def __init__(self, home):
        self.home = Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.port = wait.free_port()
        (self.home / "app.py").write_text(WSGI)
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}"]
        command += ["--threads", "4", "--keep-alive", "5", "--no-control-socket", "app:application"]
        self.process = Process(command, self.home / "gunicorn.log", cwd=self.home)
        self.process.ready(lambda: wait.listens(self.port))

    def stop(self):
        self.process.stop()


# WsgiDAV keeps locks, and compares a Destination with the scheme and Host of the request.
WSGIDAV = '''\
from wsgidav.wsgidav_app import WsgiDAVApp

application = WsgiDAVApp({
    "provider_mapping": {"/": %r},
    "simple_dc": {"user_mapping": {"*": True}},
    "lock_storage": True,
    "verbose": 1,
})
'''


class Wsgidav:
    """WsgiDAV in gunicorn, with one worker: its locks are in memory."""

    def __init__(self, home):
        self.home = Path(home)
        self.files = self.home / "files"
        self.files.mkdir(parents=True)
        self.port = wait.free_port()
        (self.home / "dav.py").write_text(WSGIDAV % str(self.files))
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}"]
        # It goes by its own scheme, as nginx does, and not by X-Forwarded-Proto.
        command += ["--forwarded-allow-ips", "192.0.2.1"]
        command += ["--threads", "4", "--keep-alive", "5", "--no-control-socket", "dav:application"]
        self.process = Process(command, self.home / "wsgidav.log", cwd=self.home)
        self.process.ready(lambda: wait.listens(self.port))

    def stop(self):
        self.process.stop()
