"""Files of `SendFile`, as curl and Python's http.client ask for them."""

import http.client
import os
import subprocess
from email.utils import formatdate

import pytest

from peers import wait

BIG = bytes(range(256)) * 80_000  # 20 MB: more than the systems on both sides buffer


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "files"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("0123456789")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "big.bin").write_bytes(BIG)
    return folder


@pytest.fixture
def files(proxy, folder):
    return proxy(service=[f'SendFile "{folder}"'])


def curl(*arguments, check=True):
    command = ["curl", "-sS", "--max-time", "60", *map(str, arguments)]
    return subprocess.run(command, check=check, capture_output=True, timeout=90)


def ask(pound, target, method="GET", **fields):
    """By http.client: the answer and its body."""
    connection = http.client.HTTPConnection("127.0.0.1", pound.port, timeout=30)
    try:
        connection.request(method, target, headers={name.replace("_", "-"): text for name, text in fields.items()})
        answered = connection.getresponse()
        return answered, answered.read()
    finally:
        connection.close()


TYPES = {
    "a.html": "text/html; charset=utf-8",
    "a.HTM": "text/html; charset=utf-8",
    "a.css": "text/css; charset=utf-8",
    "a.min.js": "text/javascript; charset=utf-8",
    "a.mjs": "text/javascript; charset=utf-8",
    "a.txt": "text/plain; charset=utf-8",
    "a.xml": "text/xml",
    "a.svg": "image/svg+xml",
    "a.png": "image/png",
    "a.woff2": "font/woff2",
    "a.json": "application/json",
    "a.wasm": "application/wasm",
    "a.mp4": "video/mp4",
    "a.pdf": "application/pdf",
    "a.tar.gz": "application/gzip",
    "a.xyzzy": "application/octet-stream",
    "README": "application/octet-stream",
    ".html": "application/octet-stream",
    "sub.html/LICENSE": "application/octet-stream",
}


def test_the_name_of_a_file_says_its_type(files, folder):
    (folder / "sub.html").mkdir()
    for name, expected in TYPES.items():
        (folder / name).write_text("x")
        for method in ("GET", "HEAD"):
            answered, _ = ask(files, "/" + name, method)
            assert (answered.status, answered.getheader("Content-Type")) == (200, expected), name
    answered, _ = ask(files, "/a%2ehtml")
    assert answered.getheader("Content-Type") == TYPES["a.html"], "an encoded name is the same name"
    answered, _ = ask(files, "/a.txt?as=a.html")
    assert answered.getheader("Content-Type") == TYPES["a.txt"], "a query is no part of the name"
    answered, _ = ask(files, "/none.html")
    assert answered.status == 404


def test_a_rule_about_the_type_wins(proxy, folder):
    (folder / "a.html").write_text("x")
    rule = ["Rewrite response", '    StringMatch "%[path]" -end ".html"', '    SetHeader "Content-Type: text/x-ours"', "End"]
    for where in ("service", "listener"):
        lines = {"service": [f'SendFile "{folder}"'], "listener": []}
        lines[where] += rule
        pound = proxy(**lines)
        for fields, status in (({}, 200), ({"Range": "bytes=0-0"}, 206)):
            answered, _ = ask(pound, "/a.html", **fields)
            assert (answered.status, answered.msg.get_all("Content-Type")) == (status, ["text/x-ours"])
        assert ask(pound, "/a.txt")[0].getheader("Content-Type") == TYPES["a.txt"]


@pytest.mark.parametrize(
    "requested, status, told, body",
    [
        ("bytes=2-4", 206, "bytes 2-4/10", b"234"),
        ("bytes=0-0", 206, "bytes 0-0/10", b"0"),
        ("bytes=7-", 206, "bytes 7-9/10", b"789"),
        ("bytes=7-99", 206, "bytes 7-9/10", b"789"),
        ("bytes=-3", 206, "bytes 7-9/10", b"789"),
        ("bytes=-99", 206, "bytes 0-9/10", b"0123456789"),
        ("bytes=10-", 416, "bytes */10", b""),
        ("bytes=-0", 416, "bytes */10", b""),
        ("bytes=0-1,4-5", 200, None, b"0123456789"),
        ("bytes=4-2", 200, None, b"0123456789"),
        ("lines=1-2", 200, None, b"0123456789"),
    ],
)
def test_a_range(files, requested, status, told, body):
    answered, got = ask(files, "/a.txt", Range=requested)
    assert (answered.status, answered.getheader("Content-Range"), got) == (status, told, body)
    assert answered.getheader("Content-Length") == str(len(body))
    # For HEAD, Range means nothing.
    answered, _ = ask(files, "/a.txt", "HEAD", Range=requested)
    assert (answered.status, answered.getheader("Content-Length")) == (200, "10")
    assert answered.getheader("Accept-Ranges") == "bytes"


def test_answers_with_and_without_a_body_leave_the_connection_in_step(files):
    connection = http.client.HTTPConnection("127.0.0.1", files.port, timeout=30)
    tag = ask(files, "/a.txt")[0].getheader("ETag")
    for fields, status, body in [
        ({"Range": "bytes=2-4"}, 206, b"234"),
        ({"If-None-Match": tag}, 304, b""),
        ({"Range": "bytes=99-"}, 416, b""),
        ({"If-Match": '"old"'}, 412, b""),
        ({"Range": "bytes=-1"}, 206, b"9"),
    ] * 2:
        connection.request("GET", "/a.txt", headers=fields)
        answered = connection.getresponse()
        assert (answered.status, answered.read()) == (status, body)
    connection.request("GET", "/empty.txt")
    answered = connection.getresponse()
    assert (answered.status, answered.read()) == (200, b"")
    connection.close()


def test_curl_goes_on_with_a_download_that_broke_off(files, tmp_path):
    part = tmp_path / "part"
    part.write_bytes(BIG[:7_654_321])
    curl("-f", "-C", "-", "-o", part, files.url + "/big.bin")
    assert part.read_bytes() == BIG


def test_curl_fetches_a_range_and_revalidates(files, tmp_path):
    url, tag, page = files.url + "/a.txt", tmp_path / "tag", tmp_path / "page"
    assert curl("-r", "3-5", url).stdout == b"345"
    for _ in range(2):
        curl("-f", "--etag-save", tag, "-o", page, url)
    again = curl("-w", "%{http_code}", "-o", os.devnull, "--etag-compare", tag, url)
    assert again.stdout == b"304"
    assert page.read_text() == "0123456789"
    # By the date of the copy, which curl sets to Last-Modified (-R).
    curl("-f", "-R", "-o", page, url)
    assert curl("-w", "%{http_code}", "-o", os.devnull, "-z", page, url).stdout == b"304"
    os.utime(page, (1_000_000_000, 1_000_000_000))
    assert curl("-w", "%{http_code}", "-o", os.devnull, "-z", page, url).stdout == b"200"


def test_a_part_is_sent_only_to_complete_the_same_version(files, folder):
    first, _ = ask(files, "/a.txt")
    tag, modified = first.getheader("ETag"), first.getheader("Last-Modified")
    for validator in (tag, modified):
        answered, body = ask(files, "/a.txt", Range="bytes=5-", If_Range=validator)
        assert (answered.status, body) == (206, b"56789"), validator
    (folder / "a.txt").write_text("abcdefghij")
    os.utime(folder / "a.txt", (2_000_000_000, 2_000_000_000))
    for validator in (tag, modified, "W/" + tag):
        answered, body = ask(files, "/a.txt", Range="bytes=5-", If_Range=validator)
        assert (answered.status, body) == (200, b"abcdefghij"), validator
    # A client that wants the old version and no other.
    for fields in ({"If_Match": tag}, {"If_Unmodified_Since": modified}):
        answered, body = ask(files, "/a.txt", Range="bytes=5-", **fields)
        assert (answered.status, body) == (412, b""), fields
    answered, _ = ask(files, "/a.txt", If_None_Match=tag)
    assert answered.status == 200


def test_conditions_are_looked_at_in_their_order(files, folder):
    os.utime(folder / "a.txt", (1_700_000_000, 1_700_000_000))
    tag = ask(files, "/a.txt")[0].getheader("ETag")
    same, old = formatdate(1_700_000_000, usegmt=True), formatdate(1_600_000_000, usegmt=True)
    for fields, status in [
        ({"If_None_Match": tag}, 304),
        ({"If_None_Match": f'"x", W/{tag}'}, 304),
        ({"If_None_Match": '"x"', "If_Modified_Since": same}, 200),
        ({"If_Modified_Since": same}, 304),
        ({"If_Modified_Since": old}, 200),
        ({"If_Match": tag, "If_Unmodified_Since": old}, 200),
        ({"If_Match": f"W/{tag}"}, 412),
        ({"If_Match": "*"}, 200),
        ({"If_Match": '"x"', "If_None_Match": tag}, 412),
        ({"If_Match": tag, "If_None_Match": tag}, 304),
        ({"If_Unmodified_Since": old, "If_Modified_Since": same}, 412),
        ({"If_Unmodified_Since": same, "If_Modified_Since": same}, 304),
        ({"If_Unmodified_Since": "tomorrow"}, 200),
    ]:
        for method in ("GET", "HEAD"):
            answered, _ = ask(files, "/a.txt", method, **fields)
            assert answered.status == status, (method, fields)
    # A file that is not there, and a method that is not allowed, come before any condition.
    assert ask(files, "/none", If_Match='"x"')[0].status == 404
    assert ask(files, "/a.txt", "POST", If_Match='"x"')[0].status == 405


def begin(files, client):
    """A download of the big file that has begun and waits for its reader."""
    connection = client(files)
    connection.send_request("/big.bin")
    answered = connection.read_answer_head()
    assert answered.status == 200 and answered.fields.one("Content-Length") == str(len(BIG))
    return connection, answered


def test_a_download_that_has_begun_gets_the_old_file_when_it_is_replaced(files, folder, client):
    connection, answered = begin(files, client)
    (folder / "new").write_bytes(b"new")
    os.rename(folder / "new", folder / "big.bin")
    assert ask(files, "/big.bin")[1] == b"new"
    assert connection.read_answer_body(answered).body == BIG
    assert connection.ask("/big.bin").body == b"new"


def test_a_file_that_grows_is_sent_as_long_as_was_told(files, folder, client):
    connection, answered = begin(files, client)
    with open(folder / "big.bin", "ab") as file:
        file.write(b"more")
    assert connection.read_answer_body(answered).body == BIG
    assert connection.ask("/a.txt").text == "0123456789"


def test_a_file_that_shrinks_ends_the_connection(files, folder, client):
    connection, _ = begin(files, client)
    os.truncate(folder / "big.bin", 1000)
    got = connection.buffer
    connection.buffer = b""
    try:
        got += connection.read_to_end()
    except ConnectionError:
        pass
    assert len(got) < len(BIG), "bytes that the file does not hold"
    assert BIG.startswith(got), "not the file"
    files.wait_for_log("E-FILE-UNREADABLE")
    assert ask(files, "/big.bin")[1] == BIG[:1000]


def test_curl_says_that_a_download_was_cut(files, folder, tmp_path):
    """18 is curl's status for a body shorter than its Content-Length, whatever its version says about it; 56 a reset."""
    arguments = ["curl", "-sS", "--max-time", "60", "--limit-rate", "2M", "-o", tmp_path / "got", files.url + "/big.bin"]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        wait.until(lambda: (tmp_path / "got").exists() and (tmp_path / "got").stat().st_size, "curl began", within=30)
        os.truncate(folder / "big.bin", 1000)
        assert running.wait(timeout=90) in (18, 56)


def test_links_and_dots_lead_nowhere_with_conditions_either(files, folder, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "in.html").symlink_to("a.txt")
    for target in ("/out.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/sub/..%2f..%2fsecret.txt"):
        for fields in ({}, {"Range": "bytes=0-1"}, {"If_Match": "*"}, {"If_None_Match": "*"}):
            answered, body = ask(files, target, **fields)
            assert answered.status in (400, 404), (target, fields)
            assert body != b"secret"
    answered, body = ask(files, "/in.html")
    assert (answered.getheader("Content-Type"), body) == (TYPES["a.html"], b"0123456789")


def test_files_pass_tls_and_ranges_with_it(tls_proxy, authority, folder):
    pound = tls_proxy(service=[f'SendFile "{folder}"'])
    url = f"https://localhost:{pound.port}"
    got = curl("--cacert", authority.certificate, "--resolve", f"localhost:{pound.port}:127.0.0.1", "-r", "100-299", url + "/big.bin")
    assert got.stdout == BIG[100:300]
