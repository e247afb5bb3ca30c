"""Answers that need no back-end: redirects, errors, files, success."""

import pytest

REDIRECTS = {
    "without_a_path_appends_the_request": ('Redirect "https://new.example"', 302, "https://new.example/a/b?c=d"),
    "with_a_path_does_not": ('Redirect "https://new.example/x"', 302, "https://new.example/x"),
    "a_lone_slash_is_left_out": ('Redirect "https://new.example/"', 302, "https://new.example"),
    "a_lone_slash_behind_a_reference_too": ('Redirect "https://%[host]/"', 302, "https://old.example"),
    "a_query_without_a_path_takes_the_request": (
        'Redirect "https://new.example?back="',
        302,
        "https://new.example?back=/a/b?c=d",
    ),
    "a_fragment_without_a_path_takes_the_request": (
        'Redirect 303 "https://new.example#"',
        303,
        "https://new.example#/a/b?c=d",
    ),
    "a_query_behind_a_path_does_not": ('Redirect "https://new.example/?q=1"', 302, "https://new.example/?q=1"),
    "a_query_with_a_path_in_it_does_not": ('Redirect "https://new.example?u=/"', 302, "https://new.example?u=/"),
    "a_blank_is_encoded": ('Redirect "https://new.example/a b"', 302, "https://new.example/a%20b"),
    "with_accessors": ('Redirect 301 "https://%[host]%[url]"', 301, "https://old.example/a/b?c=d"),
    "permanent_with_method": ('Redirect 308 "https://new.example"', 308, "https://new.example/a/b?c=d"),
    "see_other": ('Redirect 303 "https://new.example/x"', 303, "https://new.example/x"),
    "temporary": ('Redirect 307 "https://new.example/x"', 307, "https://new.example/x"),
}


@pytest.mark.parametrize("case", REDIRECTS)
def test_redirect(serving, case):
    line, status, location = REDIRECTS[case]
    answered = serving(line).ask("/a/b?c=d", host="old.example")
    assert (answered.status, answered.fields.one("Location")) == (status, location)


def test_redirect_with_a_capture(serving):
    pound = serving('Path "^/user/([a-z]+)"', 'Redirect "https://$1.example/"')
    assert pound.ask("/user/ann").fields.one("Location").rstrip("/") == "https://ann.example"


def test_redirect_repeats_no_raw_byte_of_the_request(serving):
    pound = serving('Redirect "https://new.example"')
    answered = pound.ask("/\"><script>alert(1)</script>?'")
    assert "<script>" not in answered.text
    if answered.status == 302:
        assert not set('"<>') & set(answered.fields.one("Location"))


def test_redirect_keeps_the_connection(serving, client):
    connection = client(serving('Redirect "https://new.example"'))
    assert [connection.ask().status for _ in range(3)] == [302] * 3
    assert connection.ask(method="HEAD").status == 302
    assert connection.ask().status == 302


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 413, 414, 429, 500, 501, 503])
def test_error(serving, code):
    answered = serving(f"Error {code}").ask()
    assert answered.status == code
    assert answered.fields.one("Content-Type").startswith("text/html")
    assert "<html" in answered.text.lower()


def test_error_with_a_page_of_its_own(serving, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<h1>Away for lunch</h1>\n")
    answered = serving(f'Error 503 "{page}"').ask()
    assert (answered.status, answered.text) == (503, "<h1>Away for lunch</h1>\n")


def test_error_page_may_begin_with_fields(serving, tmp_path):
    page = tmp_path / "page.txt"
    page.write_text("Content-Type: text/plain\nRetry-After: 60\n\nAway for lunch\n")
    answered = serving(f'Error 503 "{page}"').ask()
    assert answered.fields.one("Content-Type") == "text/plain"
    assert answered.fields.one("Retry-After") == "60"
    assert answered.text == "Away for lunch\n"


def test_error_file_of_a_listener_is_used_for_its_errors(serving, tmp_path):
    page = tmp_path / "e400.html"
    page.write_text("<p>Pardon?</p>")
    pound = serving("Success", listener=[f'ErrorFile 400 "{page}"'])
    assert pound.ask(host=None).text == "<p>Pardon?</p>"


def test_success(serving, client):
    connection = client(serving("Success"))
    for method in ("GET", "HEAD", "GET"):
        answered = connection.ask(method=method)
        assert answered.status == 200
        assert int(answered.fields.get("Content-Length", "0")) >= 0


def test_an_upload_to_a_local_answer_does_not_confuse_the_connection(serving, client):
    connection = client(serving("Success"))
    connection.send_request(method="POST", body=b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
    assert connection.read_answer().status == 200
    connection.send_request()
    try:
        assert connection.read_answer().status == 200
    except (EOFError, ConnectionError):
        pass  # closing after an unread body is right, too
    assert connection.has_ended_within(0.2) or connection.buffer == b"", "one answer too many"


@pytest.fixture
def files(serving, tmp_path):
    folder = tmp_path / "files"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("the file\n")
    (folder / "sub/big.bin").write_bytes(bytes(range(256)) * 20_000)
    (tmp_path / "secret").write_text("secret\n")
    (folder / "link").symlink_to(tmp_path / "secret")
    return serving(f'SendFile "{folder}"')


def test_sends_files(files):
    assert files.ask("/a.txt").text == "the file\n"
    big = files.ask("/sub/big.bin")
    assert big.body == bytes(range(256)) * 20_000
    assert files.ask("/a.txt", method="HEAD").fields.one("Content-Length") == "9"


@pytest.mark.parametrize("target", ["/none", "/sub", "/sub/", "/a.txt/", "/"])
def test_a_missing_file_is_404(files, target):
    assert files.ask(target).status in (403, 404)


@pytest.mark.parametrize(
    "target",
    ["/../secret", "/sub/../../secret", "/%2e%2e/secret", "/..%2fsecret", "/sub/..%2f..%2fsecret", "//secret", "/link"],
)
def test_sends_nothing_outside_of_its_folder(files, target):
    answered = files.ask(target)
    assert answered.status in (400, 403, 404), answered
    assert "secret\n" not in answered.text


def test_404_is_not_an_empty_page(files):
    assert "<html" in files.ask("/none").text.lower()


def test_pages_about_errors_are_kept_by_no_cache_of_any_age(serving, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<h1>gone</h1>")
    for pound in (serving("Error 404"), serving(f'Error 404 "{page}"'), serving('Path "^/none$"', "Success")):
        answered = pound.ask("/x")
        assert answered.status in (404, 503)
        assert answered.fields.one("Cache-Control") == "no-cache,no-store"
        assert answered.fields.one("Pragma") == "no-cache"
        assert answered.fields.has("Expires")
