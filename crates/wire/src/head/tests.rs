use super::*;

fn head(text: &str) -> RequestHead {
    let parsed = crate::h1::parse::request(text.as_bytes().to_vec(), Slots::default(), &Default::default());
    parsed.expect("valid head")
}

fn listing(fields: &Fields) -> String {
    fields
        .iter()
        .map(|(name, value)| format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value)))
        .collect::<Vec<_>>()
        .join("|")
}

#[test]
fn edits_keep_order_and_replace_at_the_first() {
    let mut head = head("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\nx: 3\r\n\r\n");
    head.fields_mut().set(b"X", b" new ").expect("valid");
    assert_eq!(listing(head.fields()), "Host=a|X=new|Y=2");
    head.fields_mut().append(b"Y", b"4").expect("valid");
    head.fields_mut().set(b"Z", b"").expect("valid");
    assert_eq!(listing(head.fields()), "Host=a|X=new|Y=2|Y=4|Z=");
    head.fields_mut().remove(b"y");
    assert_eq!(listing(head.fields()), "Host=a|X=new|Z=");
    head.fields_mut().set_known(Known::Host, b"b").expect("valid");
    head.fields_mut().retain(|name, _| name != b"X");
    assert_eq!(listing(head.fields()), "Host=b|Z=");
    head.fields_mut().remove_known(Known::Host);
    assert_eq!(head.host(), None);
    assert_eq!(head.line(), b"GET / HTTP/1.1");
}

#[test]
fn edits_refuse_what_would_break_a_line() {
    let mut head = head("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let before = listing(head.fields());
    let fields = head.fields_mut();
    assert_eq!(fields.set(b"X", b"a\r\nEvil: 1"), Err(EditError::ValueInvalid));
    assert_eq!(fields.append(b"X", b"a\nb"), Err(EditError::ValueInvalid));
    assert_eq!(fields.append(b"X", b"a\0"), Err(EditError::ValueInvalid));
    assert_eq!(fields.append(b"X Y", b"a"), Err(EditError::NameInvalid));
    assert_eq!(fields.append(b"", b"a"), Err(EditError::NameInvalid));
    for line in [&b""[..], b" ", b"a\r\nEvil: 1", b"a\nb", b"a\0"] {
        let lines = [&b"x"[..], line];
        assert_eq!(fields.set_folded(b"X", lines.into_iter()), Err(EditError::ValueInvalid), "{line:?}");
    }
    assert_eq!(fields.set_folded(b"X Y", [&b"a"[..]].into_iter()), Err(EditError::NameInvalid));
    assert_eq!(listing(fields), before);
    for target in [&b""[..], b"/a b", b"/a\r\n", b"/\x7f", b"/\0"] {
        assert_eq!(head.set_target(target), Err(EditError::TargetInvalid), "{target:?}");
    }
    assert_eq!(head.target(), b"/");
}

#[test]
fn a_folded_value_takes_the_place_of_the_others() {
    let mut head = head("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nx: 2\r\nY: 3\r\n\r\n");
    head.fields_mut().set_folded(b"X", [&b"a"[..], b" b", b"c "].into_iter()).expect("valid");
    let mut out = Vec::new();
    head.fields().write_lines(|_| true, &mut out);
    assert_eq!(String::from_utf8_lossy(&out), "Host: a\r\nX: a\r\n\tb\r\n\tc\r\nY: 3\r\n");
}

#[test]
fn edits_are_bounded() {
    let mut head = head("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let value = vec![b'x'; 1024 * 1024];
    let mut count = 0;
    while head.fields_mut().set(b"X", &value).is_ok() {
        count += 1;
        assert!(count < 100);
    }
    assert_eq!(head.fields_mut().set(b"X", &value), Err(EditError::HeadFull));
    assert_eq!(head.fields().find(b"x").map(<[u8]>::len), Some(value.len()));
}

#[test]
fn finds_by_name_in_any_case_and_by_row() {
    let head = head(
        "GET / HTTP/1.1\r\nhOST: a\r\nConnection: keep-alive\r\nCONNECTION: Close , x\r\nx-a: 1\r\nX-A: 2\r\n\r\n",
    );
    let fields = head.fields();
    assert_eq!(fields.get(Known::Host), Some(&b"a"[..]));
    assert_eq!(fields.find(b"host"), Some(&b"a"[..]));
    assert_eq!(fields.find_all(b"X-a").collect::<Vec<_>>(), [&b"1"[..], b"2"]);
    assert_eq!(fields.count(Known::Connection), 2);
    assert!(fields.contains_token(Known::Connection, b"close"));
    assert!(!fields.contains_token(Known::Connection, b"keep"));
    assert_eq!(fields.len(), 5);
}

#[test]
fn path_and_query_follow_the_target() {
    fn check(target: &str, path: &str, query: Option<&str>) {
        let mut head = head("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        head.set_target(target.as_bytes()).expect("valid");
        assert_eq!(head.path(), path.as_bytes(), "{target}");
        assert_eq!(head.query(), query.map(str::as_bytes), "{target}");
        assert_eq!(head.target(), target.as_bytes());
    }
    check("/a?b?c", "/a", Some("b?c"));
    check("/a?", "/a", Some(""));
    check("/a", "/a", None);
    check("*", "*", None);
    check("http://h/p?q", "/p", Some("q"));
    check("http://h?q", "", Some("q"));
    check("http://h", "", None);
    check("h:80", "", None);
}

#[test]
fn absolute_form_becomes_origin_form() {
    fn check(text: &str, target: &str, host: &str) {
        let mut head = head(text);
        crate::check::request_semantics(&head).expect("valid request");
        head.make_origin_form().expect("room");
        assert_eq!(head.target(), target.as_bytes(), "{text:?}");
        assert_eq!(head.host(), Some(host.as_bytes()), "{text:?}");
    }
    check("GET http://h/p?q HTTP/1.1\r\nHost: h\r\n\r\n", "/p?q", "h");
    check("GET HTTP://h?q HTTP/1.1\r\nHost: h\r\n\r\n", "/?q", "h");
    check("GET http://h HTTP/1.1\r\nHost: H:80\r\n\r\n", "/", "H:80");
    check("OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n", "*", "h");
    check("OPTIONS http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", "/", "h");
    check("GET http://h:81/p HTTP/1.0\r\n\r\n", "/p", "h:81");
    check("GET /p HTTP/1.1\r\nHost: h\r\n\r\n", "/p", "h");
}

#[test]
fn composed_heads_are_checked() {
    let compose = |method: &[u8], target: &[u8]| {
        RequestHead::compose(Vec::new(), Slots::default(), method, target, "HTTP/2.0")
            .map(|head| head.line().to_vec())
    };
    assert_eq!(compose(b"GET", b"/a?b").as_deref(), Ok(&b"GET /a?b HTTP/2.0"[..]));
    assert_eq!(compose(b"GE T", b"/"), Err(ParseError::MethodMalformed));
    assert_eq!(compose(b"GET", b"/ HTTP/1.1\r\nX: y"), Err(ParseError::TargetCharacter));
    let response = ResponseHead::compose(Vec::new(), Slots::default(), 404, b"Not Found").expect("valid");
    assert_eq!((response.status(), response.reason()), (404, &b"Not Found"[..]));
    assert!(ResponseHead::compose(Vec::new(), Slots::default(), 99, b"").is_err());
    assert!(ResponseHead::compose(Vec::new(), Slots::default(), 200, b"a\r\nb").is_err());
}

#[test]
fn recycling_keeps_the_allocations() {
    let (buf, slots) = head("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n").recycle();
    assert!(buf.is_empty() && buf.capacity() > 0);
    let fields = Fields::over(buf, slots);
    assert!(fields.is_empty());
}

#[test]
fn a_field_is_found_as_it_was_received_whatever_was_edited() {
    const LINES: [(&str, &str); 9] = [
        ("Host", "  a.example "),
        ("X-A", "1"),
        ("Connection", " keep-alive"),
        ("x-a", "2"),
        ("User-Agent", " me\t"),
        ("X-AB", "3"),
        ("Empty", ""),
        ("Blank", "  "),
        ("user-agent", "you"),
    ];
    let text: String = LINES.iter().map(|(name, value)| format!("{name}:{value}\r\n")).collect();
    let received = head(&format!("\r\nGET http://x/ HTTP/1.1\r\n{text}\r\n"));
    // Each of the lines removed or replaced, or all from it on, or all up to it; and nothing.
    type Edit = fn(&mut Fields, &[u8], &mut bool);
    let edits: [Edit; 5] = [
        |fields, name, _| fields.remove(name),
        |fields, name, _| fields.set(name, b"new").expect("valid"),
        |fields, name, _| fields.append(name, b"new").expect("valid"),
        |fields, line, past| {
            fields.retain(|name, _| {
                *past |= name == line;
                *past
            });
        },
        |fields, line, past| {
            fields.retain(|name, _| {
                *past |= name == line;
                !*past
            });
        },
    ];
    let check = |head: &RequestHead| {
        for (name, _) in LINES {
            let first = LINES.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            let expect = first.map(|(_, value)| value.trim().as_bytes());
            assert_eq!(head.received(name.to_uppercase().as_bytes()), expect, "{name}");
        }
        for name in ["X-New", "X", "X-", "GET http", "", "Referer"] {
            assert_eq!(head.received(name.as_bytes()), None, "{name}");
        }
    };
    check(&received);
    for edit in edits {
        for (one, _) in LINES {
            let mut head = received.clone();
            head.fields_mut().append(b"X-New", b"9").expect("valid");
            edit(head.fields_mut(), one.as_bytes(), &mut false);
            check(&head);
            for (other, _) in LINES {
                let mut head = head.clone();
                edit(head.fields_mut(), other.as_bytes(), &mut false);
                check(&head);
            }
        }
    }
    assert_eq!(RequestHead::new().received(b"Host"), None);
}
