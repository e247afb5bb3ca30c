use std::sync::Arc;

use plan::listener::MethodLevel;

use super::*;
use crate::testing::{Setup, get, regex};

fn sanitized(change: impl FnOnce(&mut Setup), head: &str) -> Result<Exchange, Fault> {
    let mut x = Setup::with(change).run().exchange(head);
    request(&mut x).map(|()| x)
}

fn refuse(change: impl FnOnce(&mut Setup), head: &str, status: u16, code: &str) {
    let Err(fault) = sanitized(change, head) else { panic!("{head:?} passed") };
    let row = fault.cause.row();
    assert_eq!((row.status, row.code), (status, code), "{head:?}");
    assert_eq!(fault.stage, Stage::Sanitize);
}

fn method(method: &str) -> String {
    format!("{method} /x HTTP/1.1\r\nHost: a.example\r\n\r\n")
}

#[test]
fn methods_pass_by_level() {
    let levels = [
        (MethodLevel::Basic, &["GET", "POST", "HEAD"][..], &["PUT", "OPTIONS", "BMOVE"][..]),
        (MethodLevel::Extended, &["PUT", "PATCH", "DELETE"], &["PROPFIND", "TRACE"]),
        (MethodLevel::WebDav, &["PROPFIND", "OPTIONS"], &["SUBSCRIBE"]),
        (MethodLevel::Microsoft, &["SUBSCRIBE", "GET"], &[]),
    ];
    for (level, passes, refused) in levels {
        for name in passes {
            assert!(
                sanitized(|setup| setup.listener.methods = level, &method(name)).is_ok(),
                "{name} {level:?}"
            );
        }
        for name in refused {
            refuse(|setup| setup.listener.methods = level, &method(name), 405, "E-XHTTP");
        }
    }
    refuse(|setup| setup.listener.methods = MethodLevel::Microsoft, &method("BREW"), 501, "E-METHOD-UNKNOWN");
    refuse(|_| (), &method("get"), 501, "E-METHOD-UNKNOWN");
    let named = |setup: &mut Setup| setup.listener.methods_named = vec!["PURGE".into(), "OPTIONS".into()];
    for name in ["PURGE", "OPTIONS", "GET"] {
        assert!(sanitized(named, &method(name)).is_ok(), "{name}");
    }
    refuse(named, &method("purge"), 501, "E-METHOD-UNKNOWN");
    refuse(named, &method("PUT"), 405, "E-XHTTP");
}

#[test]
fn connect_is_not_allowed_or_not_implemented_but_never_served() {
    let connect = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n";
    refuse(|_| (), connect, 405, "E-XHTTP");
    refuse(|setup| setup.listener.methods = MethodLevel::Microsoft, connect, 501, "E-CONNECT");
}

#[test]
fn bounds_of_the_listener_hold() {
    refuse(|setup| setup.listener.target_max = Some(4), &get("/12345", ""), 414, "E-MAXURI");
    assert!(sanitized(|setup| setup.listener.target_max = Some(6), &get("/12345", "")).is_ok());
    let post = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 11\r\n\r\n";
    refuse(|setup| setup.listener.body_max = Some(10), post, 413, "E-MAXREQUEST");
    assert!(sanitized(|setup| setup.listener.body_max = Some(11), post).is_ok());
    let check = |setup: &mut Setup| setup.listener.check_url = Some(regex("^/[a-z]*$").pattern);
    refuse(check, &get("/a?b", ""), 501, "E-CHECKURL");
    assert!(sanitized(check, &get("/ab", "")).is_ok());
}

#[test]
fn each_part_of_a_target_keeps_to_its_characters() {
    let check = |setup: &mut Setup| {
        setup.listener.alphabets = Some(Arc::new(plan::Alphabets {
            query_value: plan::CharSet::new("a-z").unwrap(),
            ..Default::default()
        }));
    };
    for good in ["/", "/a/b;c=d?e=f&g", "/?", "/?&=", "/a%20b", "/?%41=b"] {
        assert!(sanitized(check, &get(good, "")).is_ok(), "{good}");
    }
    for bad in ["/a[b]", "/a;[b]", "/?a[]=b", "/?a=B", "/?a=%41"] {
        refuse(check, &get(bad, ""), 501, "E-CHECKURL-CHAR");
    }
    // The target of no resource has no parts.
    let options = "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let webdav = |setup: &mut Setup| {
        check(setup);
        setup.listener.methods = MethodLevel::WebDav;
    };
    assert!(sanitized(webdav, options).is_ok());
    // What the RFC forbids is refused as that, whatever the sets say.
    refuse(check, &get("/a|%", ""), 400, "E-PERCENT");
    for bad in ["/a|b", "/?a=\u{e9}"] {
        refuse(check, &get(bad, ""), 501, "E-CHECKURL-CHAR");
    }
}

#[test]
fn the_field_to_blame_is_noted() {
    let offending = |change: fn(&mut Setup), head: &str| {
        let mut x = Setup::with(change).run().exchange(head);
        assert!(request(&mut x).is_err(), "{head:?}");
        String::from_utf8(x.offending).unwrap()
    };
    let none = |_: &mut Setup| ();
    assert_eq!(offending(none, &get("/", "host: b\r\n")), "Host: www.example.org, Host: b");
    assert_eq!(offending(none, &get("/", "Expect: x\r\n")), "Expect: x");
    assert_eq!(
        offending(none, &get("/", "Connection: close, Cookie, Content-Length\r\n")),
        "Connection: close, Cookie, Content-Length"
    );
    assert_eq!(offending(none, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), "Host: a b");
    let small = |setup: &mut Setup| setup.listener.body_max = Some(1);
    assert_eq!(offending(small, &get("/", "Content-Length: 2\r\n")), "Content-Length: 2");
    let sets = |setup: &mut Setup| setup.listener.alphabets = Some(Arc::default());
    assert_eq!(offending(sets, &get("/good/ba[d/x", "")), "ba[d");
    // Passwords are nobody's business.
    assert_eq!(offending(none, "GET / HTTP/1.1\r\nHost: user:secret@a\r\n\r\n"), "");
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    refuse(|_| (), "GET / HTTP/1.1\r\n\r\n", 400, "E-HOST-NONE");
    refuse(|_| (), &get("/a/../b", ""), 400, "E-DOT-SEGMENT");
    refuse(|_| (), &get("/", "Host: b.example\r\n"), 400, "E-HOST-TWICE");
    // Malformed comes before not allowed: 405 leaves the connection open.
    refuse(|_| (), "PUT / HTTP/1.1\r\n\r\n", 400, "E-HOST-NONE");
}

#[test]
fn a_plain_dot_is_gone_before_anything_is_matched() {
    for (given, expect) in [("/./Packages", "/Packages"), ("/a/./b/.?c=/./", "/a/b/?c=/./"), ("/.", "/")] {
        let x = sanitized(|_| (), &get(given, "")).unwrap();
        assert_eq!(
            (x.request.target(), x.request.line()),
            (expect.as_bytes(), format!("GET {given} HTTP/1.1").as_bytes())
        );
    }
    let x = sanitized(|_| (), "GET http://a.example/./x?y HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    assert_eq!(x.request.target(), b"/x?y");
    let check = |setup: &mut Setup| setup.listener.check_url = Some(regex("^/a$").pattern);
    assert!(sanitized(check, &get("/./a", "")).is_ok());
    for bad in ["/./../a", "/a/./%2e%2e/b", "/%2e/a"] {
        refuse(|_| (), &get(bad, ""), 400, "E-DOT-SEGMENT");
    }
}

#[test]
fn a_request_without_a_host_is_for_the_address_it_came_to() {
    let host = |local: &'static str, secure: bool| {
        let x = sanitized(
            |setup| {
                setup.secure = secure;
                setup.local = if local.is_empty() { Endpoint::Unix } else { crate::testing::inet(local) };
            },
            "GET / HTTP/1.0\r\n\r\n",
        );
        String::from_utf8(x.unwrap().request.host().unwrap().to_vec()).unwrap()
    };
    assert_eq!(host("192.0.2.80:80", false), "192.0.2.80");
    assert_eq!(host("192.0.2.80:8080", false), "192.0.2.80:8080");
    assert_eq!(host("[2001:db8::1]:80", false), "[2001:db8::1]");
    assert_eq!(host("[2001:db8::1]:81", false), "[2001:db8::1]:81");
    assert_eq!(host("[::ffff:192.0.2.80]:81", false), "192.0.2.80:81");
    assert_eq!(host("", false), "localhost");
    // That there is one and it is empty is another matter: http has no resources without a host (RFC 9110 section 4.2.1).
    refuse(|_| (), "GET / HTTP/1.0\r\nHost:\r\n\r\n", 400, "E-HOST");
    refuse(|_| (), "GET / HTTP/1.1\r\nHost: \r\n\r\n", 400, "E-HOST");
}

#[test]
fn absolute_form_becomes_origin_form() {
    let x = sanitized(|_| (), "GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    assert_eq!(x.request.target(), b"/x?y");
    let x = sanitized(|_| (), "GET http://a.example?y HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!((x.request.target(), x.request.host()), (&b"/?y"[..], Some(&b"a.example"[..])));
    refuse(|_| (), "GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 400, "E-HOST-TARGET");
    let https = "GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n";
    refuse(|_| (), https, 421, "E-SCHEME-ELSEWHERE");
    assert!(sanitized(|setup| setup.secure = true, https).is_ok());
}

#[test]
fn fields_of_the_connection_end_here() {
    let fields = "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Authorization: x\r\nX-End: 1\r\n";
    let x = sanitized(|_| (), &get("/", fields)).unwrap();
    for gone in ["Connection", "X-Hop", "Keep-Alive", "TE", "Proxy-Authorization"] {
        assert_eq!(x.request.fields().find(gone.as_bytes()), None, "{gone}");
    }
    assert!(x.request.fields().find(b"X-End").is_some());
    assert!(x.nominated.contains(b"x-hop"));
    assert_eq!(x.upgrade, None);
}

#[test]
fn an_upgrade_is_noted_and_conditions_may_see_it() {
    let fields = "Connection: Upgrade, X-Hop\r\nUpgrade: websocket\r\nX-Hop: 1\r\nTE: trailers\r\n";
    let x = sanitized(|_| (), &get("/", fields)).unwrap();
    assert_eq!(x.upgrade.as_deref(), Some(&b"websocket"[..]));
    assert_eq!(x.request.fields().find(b"upgrade"), Some(&b"websocket"[..]));
    assert_eq!(x.request.fields().find(b"x-hop"), None);
    assert_eq!(x.request.fields().find(b"te"), None);
    for none in ["Connection: Upgrade\r\nUpgrade: h2c\r\n", "Upgrade: websocket\r\n"] {
        let x = sanitized(|_| (), &get("/", none)).unwrap();
        assert_eq!((x.upgrade.as_deref(), x.request.fields().find(b"upgrade")), (None, None));
    }
}
