use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use plan::service::Redirect;
use plan::{Condition, Page, Template};
use wire::Known;

use super::*;
use crate::testing::{self, Setup, get, regex, template};

fn answered(target: &Target, change: impl FnOnce(&mut Setup), request: &str) -> Result<Answer, Fault> {
    let mut x = Setup::with(change).run().exchange(request);
    answer(target, &mut x)
}

fn bytes(answer: &Answer) -> String {
    match &answer.body {
        Body::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn field(answer: &Answer, name: &str) -> Option<String> {
    answer.head.fields().find(name.as_bytes()).map(|value| String::from_utf8(value.to_vec()).unwrap())
}

fn redirect(url: Template, append_target: bool) -> Target {
    Target::Redirect(Redirect { status: 302, url, text: String::new(), append_target })
}

#[test]
fn success_is_200_with_nothing() {
    let answer = answered(&Target::Success, |_| (), &get("/", "")).unwrap();
    assert_eq!((answer.head.status(), answer.head.reason(), bytes(&answer).as_str()), (200, &b"OK"[..], ""));
    assert!(answer.head.fields().is_empty());
}

#[test]
fn a_redirect_appends_the_target_where_its_url_has_no_path() {
    let location = |url: &str, append| {
        let answer = answered(&redirect(template(url), append), |_| (), &get("/a?b", "")).unwrap();
        assert_eq!(answer.head.status(), 302);
        field(&answer, "Location").unwrap()
    };
    assert_eq!(location("https://x.example", true), "https://x.example/a?b");
    assert_eq!(location("https://x.example?u=", true), "https://x.example?u=/a?b");
    assert_eq!(location("https://x.example/p", false), "https://x.example/p");
    assert_eq!(location("https://x.example/", false), "https://x.example/");
    assert_eq!(location("https://%[host]%[url]", false), "https://www.example.org/a?b");
}

#[test]
fn a_redirect_never_echoes_raw_bytes() {
    let stage = Setup::with(|_| ()).run();
    let mut x = stage.exchange(&get("/%0d%0aSet-Cookie:%20a=b%22%3e%3cscript%3e'%26", ""));
    let condition = Condition::Path { matches: regex("^/(.*)$"), decode: true };
    assert!(crate::condition::holds(&condition, &mut crate::scene::Scene::of_rewrite(&mut x)).unwrap());
    let answer = answer(&redirect(template("http://x.example/$1"), false), &mut x).unwrap();
    let location = field(&answer, "Location").unwrap();
    assert_eq!(location, "http://x.example/%0D%0ASet-Cookie:%20a=b%22%3E%3Cscript%3E%27&");
    let page = bytes(&answer);
    assert!(
        page.contains("<a href=\"http://x.example/%0D%0ASet-Cookie:%20a=b%22%3E%3Cscript%3E%27&amp;\">"),
        "{page}"
    );
    assert!(!page.contains("<script>") && !page.contains("\r"));
}

#[test]
fn an_error_service_answers_with_its_page_or_the_listeners() {
    let page = Page::from_file(b"Retry-After: 5\n\nsorry");
    let answer = answered(&Target::Error { status: 503, page: Some(page) }, |_| (), &get("/", "")).unwrap();
    assert_eq!((answer.head.status(), bytes(&answer).as_str()), (503, "sorry"));
    assert_eq!(field(&answer, "Retry-After").as_deref(), Some("5"));
    let answer = answered(&Target::Error { status: 404, page: None }, |_| (), &get("/", "")).unwrap();
    assert_eq!(answer.head.status(), 404);
    assert!(bytes(&answer).contains("404 Not Found"));
    let fault = answered(&Target::Nothing, |_| (), &get("/", "")).unwrap_err();
    assert_eq!((fault.stage, fault.cause.row().code), (Stage::Local, "E-NO-TARGET"));
}

#[test]
fn an_error_has_the_operators_page_or_ours() {
    let stage = Setup::with(|setup| {
        setup.listener.error_pages.insert(503, Page::html("ours"));
    })
    .run();
    let listener = &stage.running.plan.listeners[0];
    let page = error_page::page(listener, 503, "E-X").unwrap();
    assert_eq!((page.head.reason(), bytes(&page).as_str()), (&b"Service Unavailable"[..], "ours"));
    assert_eq!(field(&page, "Cache-Control").as_deref(), Some("no-cache,no-store"));
    let page = error_page::page(listener, 400, "E-X").unwrap();
    assert_eq!(page.head.status(), 400);
    assert!(bytes(&page).contains("400 Bad Request") && bytes(&page).contains("E-X"));
}

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new() -> Files {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(dir.path().join("secret"), "secret").unwrap();
        std::fs::write(root.join("a b.txt"), "hello").unwrap();
        std::fs::write(root.join("sub/c"), "sub").unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink(dir.path().join("secret"), root.join("absolute")).unwrap();
        symlink("..", root.join("up")).unwrap();
        symlink("sub/c", root.join("in")).unwrap();
        Files { dir }
    }

    fn send(&self, request: &str) -> Result<Answer, Fault> {
        answered(&Target::Files(self.dir.path().join("root")), |_| (), request)
    }

    fn content(&self, path: &str) -> Result<String, &'static str> {
        match self.send(&get(path, "")) {
            Ok(Answer { body: Body::File { mut file, length }, .. }) => {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                assert_eq!(text.len() as u64, length);
                Ok(text)
            }
            Ok(other) => panic!("{other:?}"),
            Err(fault) => Err(fault.cause.row().code),
        }
    }
}

#[test]
fn files_below_the_directory_are_sent() {
    let files = Files::new();
    assert_eq!(files.content("/a%20b.txt?q"), Ok("hello".into()));
    assert_eq!(files.content("//sub///c"), Ok("sub".into()));
    assert_eq!(files.content("/in"), Ok("sub".into()));
    let answer = files.send(&get("/sub/c", "")).unwrap();
    assert_eq!(field(&answer, "Content-Type").as_deref(), Some("application/octet-stream"));
    assert!(field(&answer, "Last-Modified").is_some());
    let answer = files.send(&get("/a%20b.t%78t", "")).unwrap();
    assert_eq!(field(&answer, "Content-Type").as_deref(), Some("text/plain; charset=utf-8"));
}

#[test]
fn nothing_else_is() {
    let files = Files::new();
    for path in [
        "/",
        "/sub",
        "/sub/",
        "/none",
        "/sub/c/",
        "/a%20b.txt/x",
        "/out",
        "/absolute",
        "/up/secret",
        "/sub%2fnone",
    ] {
        assert_eq!(files.content(path), Err("E-FILE-MISSING"), "{path}");
    }
    // The sanitizer refuses these before; should one come through a rewrite, it goes nowhere either.
    for path in ["/../secret", "/sub/../../secret", "/%2e%2e/secret", "/..%2fsecret"] {
        assert_eq!(files.content(path), Err("E-FILE-MISSING"), "{path}");
    }
    assert_eq!(files.content(&format!("/{}", "x".repeat(5000))), Err("E-FILE-MISSING"));
}

#[test]
fn a_pipe_in_the_directory_holds_nobody_up() {
    let files = Files::new();
    let path = files.dir.path().join("root/pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_eq!(files.content("/pipe"), Err("E-FILE-MISSING"));
}

#[test]
fn the_way_for_old_kernels_follows_no_link_at_all() {
    let files = Files::new();
    let root = || {
        rustix::fs::open(
            files.dir.path().join("root"),
            rustix::fs::OFlags::DIRECTORY,
            rustix::fs::Mode::empty(),
        )
        .unwrap()
    };
    assert!(file::walk(root().as_fd(), &[b"sub", b"c"]).is_ok());
    for parts in [&[&b"out"[..]][..], &[b"up", b"secret"], &[b"in"], &[b"none"]] {
        assert!(file::walk(root().as_fd(), parts).is_err(), "{parts:?}");
    }
}

#[test]
fn files_are_only_read() {
    let request = "POST /sub/c HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let answer = Files::new().send(request).unwrap();
    assert_eq!((answer.head.status(), field(&answer, "Allow").as_deref()), (405, Some("GET, HEAD")));
    let head = Files::new().send("HEAD /sub/c HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    assert!(matches!(head.body, Body::File { length: 3, .. }));
}

#[test]
fn a_client_that_has_the_file_is_told_so() {
    let files = Files::new();
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_900);
    std::fs::File::options()
        .write(true)
        .open(files.dir.path().join("root/sub/c"))
        .unwrap()
        .set_modified(time)
        .unwrap();
    let status = |fields: &str| {
        let answer = files.send(&get("/sub/c", fields)).unwrap();
        assert_eq!(
            answer.head.fields().get(Known::LastModified),
            Some(&b"Tue, 14 Nov 2023 22:13:20 GMT"[..])
        );
        assert_eq!(matches!(answer.body, Body::None), answer.head.status() == 304);
        answer.head.status()
    };
    assert_eq!(status("If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n"), 304);
    assert_eq!(status("If-Modified-Since: Tue, 14 Nov 2023 22:13:19 GMT\r\n"), 200);
    assert_eq!(status("If-Modified-Since: yesterday\r\n"), 200);
    assert_eq!(status("If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\nIf-None-Match: \"x\"\r\n"), 200);
}

#[test]
fn a_tag_tells_versions_apart() {
    let files = Files::new();
    let first = files.send(&get("/sub/c", "")).unwrap();
    let tag = field(&first, "ETag").unwrap();
    let status = |fields: &str| files.send(&get("/sub/c", fields)).unwrap().head.status();
    let none_match = |tags: &str| status(&format!("If-None-Match: {tags}\r\n"));
    assert_eq!(none_match(&tag), 304);
    assert_eq!(none_match(&format!("\"x\", W/{tag}")), 304);
    assert_eq!(none_match("*"), 304);
    assert_eq!(none_match("\"x\""), 200);
    assert_eq!(status(&format!("If-None-Match: \"x\"\r\nIf-None-Match: {tag}\r\n")), 304);
    std::fs::write(files.dir.path().join("root/sub/c"), "other").unwrap();
    assert_eq!(none_match(&tag), 200);
}

#[test]
fn a_client_that_wants_another_version_gets_none() {
    let files = Files::new();
    let first = files.send(&get("/sub/c", "")).unwrap();
    let (tag, modified) = (field(&first, "ETag").unwrap(), field(&first, "Last-Modified").unwrap());
    let old = "Tue, 14 Nov 2023 22:13:20 GMT";
    let check = |fields: &[(&str, &str)], expect: u16| {
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        for method in ["GET", "HEAD"] {
            let request = format!("{method} /sub/c HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
            assert_eq!(files.send(&request).unwrap().head.status(), expect, "{method} {fields}");
        }
    };
    check(&[("If-Match", &tag)], 200);
    check(&[("If-Match", &format!("\"x\", {tag}"))], 200);
    check(&[("If-Match", "*")], 200);
    check(&[("If-Match", "\"x\"")], 412);
    check(&[("If-Match", "")], 412);
    // If-Match compares strongly.
    check(&[("If-Match", &format!("W/{tag}"))], 412);
    check(&[("If-Unmodified-Since", &modified)], 200);
    check(&[("If-Unmodified-Since", old)], 412);
    check(&[("If-Unmodified-Since", "yesterday")], 200);
    // RFC 9110 section 13.2.2: a tag goes before a date, and what must not be before what need not be.
    check(&[("If-Match", &tag), ("If-Unmodified-Since", old)], 200);
    check(&[("If-Match", "\"x\""), ("If-Unmodified-Since", &modified)], 412);
    check(&[("If-None-Match", &tag), ("If-Match", "\"x\"")], 412);
    check(&[("If-None-Match", &tag), ("If-Match", &tag)], 304);
    check(&[("If-Modified-Since", &modified), ("If-Unmodified-Since", old)], 412);
    check(&[("If-Modified-Since", &modified), ("If-Unmodified-Since", &modified)], 304);
    check(&[("If-Modified-Since", old), ("If-None-Match", &tag)], 304);
    check(&[("Range", "bytes=0-0"), ("If-Range", &tag), ("If-Match", "\"x\"")], 412);
    check(&[("Range", "bytes=9-"), ("If-None-Match", &tag)], 304);
    check(&[("Range", "bytes=9-"), ("If-Match", "\"x\"")], 412);
}

#[test]
fn a_part_of_a_file_is_sent_to_whoever_has_the_rest_of_the_same_version() {
    let files = Files::new();
    let get_part = |fields: &str| {
        let answer = files.send(&get("/a%20b.txt", fields)).unwrap();
        let (status, range) = (answer.head.status(), field(&answer, "Content-Range"));
        let mut text = String::new();
        if let Body::File { file, length } = answer.body {
            file.take(length).read_to_string(&mut text).unwrap();
        }
        (status, range.unwrap_or_default(), text)
    };
    let whole = (200, String::new(), "hello".to_owned());
    let part = (206, "bytes 1-2/5".to_owned(), "el".to_owned());
    assert_eq!(get_part("Range: bytes=1-2\r\n"), part);
    assert_eq!(get_part("Range: bytes=-2\r\n"), (206, "bytes 3-4/5".into(), "lo".into()));
    assert_eq!(get_part("Range: bytes=5-\r\n"), (416, "bytes */5".into(), String::new()));
    assert_eq!(get_part("Range: bytes=0-0,2-2\r\n"), whole);
    let first = files.send(&get("/a%20b.txt", "")).unwrap();
    assert_eq!(field(&first, "Accept-Ranges").as_deref(), Some("bytes"));
    for (name, good, bad) in [
        ("ETag", field(&first, "ETag").unwrap(), "\"x\"".to_owned()),
        (
            "Last-Modified",
            field(&first, "Last-Modified").unwrap(),
            "Tue, 14 Nov 2023 22:13:20 GMT".to_owned(),
        ),
        ("weak", field(&first, "ETag").unwrap(), format!("W/{}", field(&first, "ETag").unwrap())),
    ] {
        assert_eq!(get_part(&format!("Range: bytes=1-2\r\nIf-Range: {good}\r\n")), part, "{name}");
        assert_eq!(get_part(&format!("Range: bytes=1-2\r\nIf-Range: {bad}\r\n")), whole, "{name}");
    }
    let head = "HEAD /a%20b.txt HTTP/1.1\r\nHost: a.example\r\nRange: bytes=1-2\r\n\r\n";
    assert_eq!(files.send(head).unwrap().head.status(), 200);
}

#[test]
fn every_status_that_we_answer_with_has_a_phrase() {
    for status in plan::page::CODES {
        assert!(!reason(*status).is_empty(), "{status}");
    }
    assert_eq!(testing::answer("HTTP/1.1 200 OK\r\n\r\n").reason(), reason(200).as_bytes());
}
