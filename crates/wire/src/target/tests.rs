use super::*;
use proptest::prelude::*;

fn origin(target: &str) -> Result<(String, Option<String>), ParseError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match classify(target.as_bytes(), Method::Get)? {
        RequestTarget::Origin { path, query } => Ok((text(path), query.map(text))),
        other => panic!("{target:?} is {other:?}"),
    }
}

#[test]
fn origin_form_passes_what_the_web_uses() {
    let check = |target: &str, path: &str, query: Option<&str>| {
        assert_eq!(origin(target), Ok((path.to_owned(), query.map(str::to_owned))), "{target:?}");
    };
    check("/", "/", None);
    check("/?", "/", Some(""));
    check("/?&", "/", Some("&"));
    check("/a?b?c/d", "/a", Some("b?c/d"));
    check("/a!$&'()*+,;=:@-._~b", "/a!$&'()*+,;=:@-._~b", None);
    check("/%2F%2f%252e", "/%2F%2f%252e", None);
    check("//a//", "//a//", None);
    check("/a[0]?b[1]=|{}^`\\", "/a[0]", Some("b[1]=|{}^`\\"));
    check("/x:80", "/x:80", None);
    check("/http://h/", "/http://h/", None);
}

/// The URL standard has browsers leave a `%` alone that begins no escape, and most punctuation; curl sends everything but
/// controls and spaces as it is typed.
#[test]
fn what_browsers_and_curl_send_for_a_link_passes() {
    for target in [
        "/?q=100%",
        "/?q=%",
        "/?q=100%&x=%2",
        "/?%",
        "/sale-50%-off/",
        "/%zz",
        "/a%z",
        "/%%20",
        "/%u4e2d%u6587",
        "/?s=%u4e2d",
        "/100%/",
        "/a|b",
        "/a[0]{1}^`'\\\"<>",
        "/?a[]={\"k\":'v'}|^`\\<>",
        "/\u{e9}?\u{4e2d}",
    ] {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        assert_eq!(origin(target), Ok((path.to_owned(), query)), "{target:?}");
    }
    assert!(classify(b"/\x80\xff?\xa0", Method::Get).is_ok());
    assert!(classify(b"http://h/50%-off?100%", Method::Get).is_ok());
}

#[test]
fn refuses_what_is_no_target() {
    use ParseError::*;
    let check = |target: &str, method: Method, expect: ParseError| {
        assert_eq!(classify(target.as_bytes(), method), Err(expect), "{target:?}");
    };
    for target in ["", "a/b", "?a", "*", "*a", "h:80", "javascript:alert(1)", "http:/h/", "://h", "1http://h"]
    {
        check(target, Method::Get, TargetForm);
    }
    check("**", Method::Options, TargetForm);
    check("ftp://h/", Method::Get, SchemeUnsupported);
    check("ws://h/", Method::Get, SchemeUnsupported);
    for target in ["/a#b", "/a?b#c", "#", "http://h/#", "http://h#x"] {
        check(target, Method::Get, Fragment);
    }
    // Cut short by the end of the path, or a way of writing ASCII that nothing honest uses.
    for target in ["/a%", "/a%1", "/a%?b", "/%2?b=c", "http://h/%", "/%u002e%u002e/", "/?a=%U0061", "/%u00e9"]
    {
        check(target, Method::Get, PercentMalformed);
    }
    check("/a%u0000b", Method::Get, PercentNul);
    check("/a%00b", Method::Get, PercentNul);
    check("/?a=%00", Method::Get, PercentNul);
    for target in ["/a b", "/a\tb", "/a\x7f", "/?a\u{1}", "/?b c"] {
        check(target, Method::Get, TargetCharacter);
    }
    check("http://u:p@h/", Method::Get, Userinfo);
    check("http://h:8x/", Method::Get, PortMalformed);
    check("http:///x", Method::Get, HostMalformed);
    check("/x", Method::Connect, HostMalformed);
}

#[test]
fn tells_the_other_forms() {
    assert_eq!(classify(b"*", Method::Options), Ok(RequestTarget::Asterisk));
    let found = classify(b"h:443", Method::Connect).expect("valid");
    assert_eq!(found, RequestTarget::Authority(Authority { raw: b"h:443", host: b"h", port: Some(443) }));
    let Ok(RequestTarget::Absolute(found)) = classify(b"HTTPS://[::1]:8080/p?q", Method::Get) else {
        panic!("absolute")
    };
    assert_eq!(
        (found.scheme, found.authority.host, found.authority.port),
        (Scheme::Https, &b"[::1]"[..], Some(8080))
    );
    assert_eq!((found.path, found.query), (&b"/p"[..], Some(&b"q"[..])));
}

#[test]
fn authorities_are_a_host_and_a_port() {
    let good = |raw: &str, host: &str, port: Option<u16>| {
        let found = authority(raw.as_bytes()).expect(raw);
        assert_eq!((found.host, found.port), (host.as_bytes(), port), "{raw:?}");
    };
    good("t.example", "t.example", None);
    good("t.example.", "t.example.", None);
    good("t.example:", "t.example", None);
    good("T.example:080", "T.example", Some(80));
    good("h:65535", "h", Some(65535));
    good("127.0.0.1:0", "127.0.0.1", Some(0));
    good("[::1]", "[::1]", None);
    good("[2001:db8::1.2.3.4]:80", "[2001:db8::1.2.3.4]", Some(80));
    good("a_b-c~d!", "a_b-c~d!", None);
    good("t%2dx", "t%2dx", None);
    good("%c3%a9.example", "%c3%a9.example", None);
    good(&"a".repeat(254), &"a".repeat(254), None);
}

#[test]
fn refuses_what_is_no_authority() {
    use ParseError::*;
    let bad = |raw: &str, expect: ParseError| assert_eq!(authority(raw.as_bytes()), Err(expect), "{raw:?}");
    for raw in [
        "",
        ":80",
        ".",
        "..",
        ".a",
        "a..b",
        "%2e%2e",
        "a%2f",
        "a%00b",
        "a%zz",
        "a%2",
        "a b",
        "a\tb",
        "a/b",
        "a#b",
        "a?b",
        "a\\b",
        "<a>",
        "\"a\"",
        "[",
        "[]",
        "[::1",
        "[::1]x",
        "[1.2.3.4]",
        "[v1.x]",
        "[fe80::1%25eth0]",
        "::1]",
        "\u{e9}",
        "[:::]",
    ] {
        let expect = if raw == "::1]" { PortMalformed } else { HostMalformed };
        let expect = if raw == ":80" { HostMalformed } else { expect };
        bad(raw, expect);
    }
    for raw in ["h:8x", "h:65536", "h:000080", "h:-1", "h:80:80", "::1", "[::1]:x"] {
        bad(raw, PortMalformed);
    }
    bad("u@h", Userinfo);
    bad(&"a".repeat(255), HostTooLong);
}

#[test]
fn hosts_agree_without_case_and_with_default_ports() {
    let check = |a: &str, b: &str, scheme: Scheme, expect: bool| {
        let (a, b) = (authority(a.as_bytes()).expect(a), authority(b.as_bytes()).expect(b));
        assert_eq!(a.agrees(&b, scheme), expect, "{a:?} {b:?}");
        assert_eq!(b.agrees(&a, scheme), expect);
    };
    check("H.example", "h.EXAMPLE:80", Scheme::Http, true);
    check("h", "h:", Scheme::Http, true);
    check("h:443", "h", Scheme::Https, true);
    check("h:443", "h", Scheme::Http, false);
    check("h", "h.", Scheme::Http, false);
    check("h", "i", Scheme::Http, false);
}

#[test]
fn finds_dot_segments_as_any_backend_would() {
    for path in [
        "/.",
        "/..",
        "/a/..",
        "/a/./b",
        "/../a",
        "/%2e",
        "/%2E%2e/etc",
        "/.%2e/",
        "/a/..;x/b",
        "/..%2fb",
        "/..%5cetc",
        "/a\\..\\b",
        "/a%2f..",
        "/a%5c%2e%2e%5cb",
        "/.;/",
        "/..\\",
        "/%u002e%u002E/",
        "/%uff0e%uff0e/etc",
        "/a%uff0f..",
        "/a%u005c%2e%u005cb",
    ] {
        assert!(has_dot_segment(path.as_bytes()), "{path}");
    }
    for path in [
        "/",
        "/a",
        "/a.b",
        "/a..",
        "/..a",
        "/...",
        "/.well-known/x",
        "/a..b/...",
        "/%252e%252e/x",
        "/%c0%ae",
        "/a;..",
        "/%u4e2d.",
        "/%%2e/",
        "*",
        "",
    ] {
        assert!(!has_dot_segment(path.as_bytes()), "{path}");
    }
}

#[test]
fn removes_dot_segments_as_the_rfc_does() {
    let check = |path: &str, expect: &str| {
        let found = remove_dot_segments(path.as_bytes());
        assert_eq!(String::from_utf8_lossy(&found), expect, "{path:?}");
    };
    // RFC 3986 section 5.2.4 and its neighbours.
    check("/a/b/c/./../../g", "/a/g");
    check("/", "/");
    check("/.", "/");
    check("/..", "/");
    check("/../../x", "/x");
    check("/a/..", "/");
    check("/a/b/..", "/a/");
    check("/a/b/.", "/a/b/");
    check("/a/./b/", "/a/b/");
    check("/a//../b", "/a/b");
    check("/a//b", "/a//b");
    check("/%2e%2E/a/%2e", "/a/");
    check("/a%2F..%2Fb", "/a%2F..%2Fb");
    check("/...", "/...");
    check("*", "*");
}

#[test]
fn plain_dots_are_taken_out_and_nothing_else_is() {
    let check = |path: &str, expect: Option<&str>| {
        let found = without_plain_dots(path.as_bytes());
        assert_eq!(found.as_deref().map(String::from_utf8_lossy).as_deref(), expect, "{path:?}");
    };
    check("/./Packages", Some("/Packages"));
    check("/.", Some("/"));
    check("/./", Some("/"));
    check("/a/.", Some("/a/"));
    check("/a/./b/././c/", Some("/a/b/c/"));
    check("/.//./a", Some("//a"));
    check("/a/./../b", Some("/a/../b"));
    check("/./%2e/b", Some("/%2e/b"));
    for path in ["/", "/a", "/.a", "/a.", "/..", "/a/..", "/%2e/", "/.;/", "/.\\", "/a\\.\\b", "", "*", "./a"]
    {
        check(path, None);
    }
}

#[test]
fn decodes_once_and_encodes_all_but_unreserved() {
    assert_eq!(percent_decode(b"a%20%2525%zz%2"), b"a %25%zz%2");
    let mut out = Vec::new();
    percent_encode(b"a/b c-._~%\xff", &mut out);
    assert_eq!(out, b"a%2Fb%20c-._~%25%FF");
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_itself(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let mut out = Vec::new();
        percent_encode(&bytes, &mut out);
        prop_assert_eq!(percent_decode(&out), bytes);
    }

    #[test]
    fn removal_leaves_no_plain_dot_segment(path in "(/|\\.|%2e|%2E|a|;){0,16}") {
        let path = format!("/{path}");
        let out = remove_dot_segments(path.as_bytes());
        prop_assert!(out.starts_with(b"/"));
        prop_assert!(out.split(|&byte| byte == b'/').all(|segment| dots(segment).is_none()));
        prop_assert_eq!(remove_dot_segments(&out), out);
    }

    #[test]
    fn any_bytes_are_classified_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        for method in [Method::Get, Method::Options, Method::Connect] {
            let (path, query) = path_and_query(&bytes);
            let path = &bytes[path];
            let query = query.map(|query| &bytes[query]);
            match classify(&bytes, method) {
                Ok(RequestTarget::Origin { path: own, query: own_query }) => {
                    prop_assert_eq!((own, own_query), (path, query));
                }
                Ok(RequestTarget::Absolute(own)) => prop_assert_eq!((own.path, own.query), (path, query)),
                _ => {}
            }
        }
        let _ = authority(&bytes);
        let _ = has_dot_segment(&bytes);
    }
}
