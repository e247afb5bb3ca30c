use super::*;
use crate::field::Known;
use proptest::prelude::*;

const HOST: &str = "Host: a\r\n";

fn limits() -> Limits {
    Limits::default()
}

/// What a connection owner does: scan, then parse exactly the head. `step` bytes come at once.
fn read(kind: Kind, bytes: &[u8], step: usize, limits: &Limits) -> Result<Option<Parsed>, ParseError> {
    let mut scanner = HeadScanner::new(kind);
    let mut seen = 0;
    loop {
        seen = (seen + step).min(bytes.len());
        if let Some(len) = scanner.scan(&bytes[..seen], limits)? {
            let head = bytes[..len].to_vec();
            let fields = match kind {
                Kind::Request => {
                    request(head, Slots::default(), limits).map(|head| Parsed::of_request(&head))
                }
                Kind::Response => {
                    response(head, Slots::default(), limits).map(|head| Parsed::of_response(&head))
                }
            };
            return fields.map(Some).map_err(|refused| refused.error);
        }
        if seen == bytes.len() {
            return Ok(None);
        }
    }
}

/// A head as plain values, to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parsed {
    start: (Vec<u8>, Vec<u8>, Version),
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    wire_len: usize,
}

impl Parsed {
    fn of_request(head: &RequestHead) -> Parsed {
        let start = (head.method().to_vec(), head.target().to_vec(), head.version());
        Parsed { start, fields: pairs(head.fields()), wire_len: head.wire_len() }
    }

    fn of_response(head: &ResponseHead) -> Parsed {
        let start = (head.status().to_string().into_bytes(), head.reason().to_vec(), head.version());
        Parsed { start, fields: pairs(head.fields()), wire_len: head.wire_len() }
    }
}

fn pairs(fields: &Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
    fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

fn check(kind: Kind, text: &str, expect: ParseError) {
    assert_eq!(read(kind, text.as_bytes(), usize::MAX, &limits()), Err(expect), "{text:?}");
    assert_eq!(read(kind, text.as_bytes(), 1, &limits()), Err(expect), "{text:?} byte by byte");
}

fn check_request(text: &str, expect: ParseError) {
    check(Kind::Request, text, expect);
}

fn check_response(text: &str, expect: ParseError) {
    check(Kind::Response, text, expect);
}

fn check_field(line: &str, expect: ParseError) {
    check_request(&format!("GET / HTTP/1.1\r\n{HOST}{line}\r\n\r\n"), expect);
    check_response(&format!("HTTP/1.1 200 OK\r\nServer: a\r\n{line}\r\n\r\n"), expect);
}

#[test]
fn reads_a_request() {
    let text = "POST /a?b HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-Blank: \t \r\ncontent-length:\t5 \r\nX: a: b\tc\r\n\r\nhello";
    let head =
        request(text.as_bytes()[..text.len() - 5].to_vec(), Slots::default(), &limits()).expect("valid");
    assert_eq!((head.method(), head.target(), head.version()), (&b"POST"[..], &b"/a?b"[..], Version::Http11));
    assert_eq!(head.line(), b"POST /a?b HTTP/1.1");
    assert_eq!(head.fields().get(Known::ContentLength), Some(&b"5"[..]));
    assert_eq!(head.fields().find(b"x"), Some(&b"a: b\tc"[..]));
    assert_eq!(head.fields().find(b"x-empty"), Some(&b""[..]));
    assert_eq!(head.fields().find(b"x-blank"), Some(&b""[..]));
    assert_eq!(head.wire_len(), text.len() - 5);
}

#[test]
fn reads_a_response() {
    let check = |text: &str, status: u16, reason: &[u8], version: Version| {
        let head = response(text.as_bytes().to_vec(), Slots::default(), &limits()).expect(text);
        assert_eq!((head.status(), head.reason(), head.version()), (status, reason, version), "{text:?}");
    };
    check("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", 200, b"OK", Version::Http11);
    check("HTTP/1.0 404 Not  Found \r\n\r\n", 404, b"Not  Found ", Version::Http10);
    check("HTTP/1.1 204 \r\n\r\n", 204, b"", Version::Http11);
    check("HTTP/1.1 999\r\n\r\n", 999, b"", Version::Http11);
}

#[test]
fn skips_one_empty_line_before_a_request_only() {
    let found = read(Kind::Request, b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 1, &limits());
    let found = found.expect("valid").expect("complete");
    assert_eq!(found.wire_len, 29);
    check_request("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", ParseError::EmptyLineFirst);
    check_response("\r\nHTTP/1.1 200 OK\r\n\r\n", ParseError::EmptyLineFirst);
    let refused =
        request(b"\r\nGET /\x01 HTTP/1.1\r\n\r\n".to_vec(), Slots::default(), &limits()).expect_err("bad");
    assert_eq!(refused.line(), b"GET /");
}

#[test]
fn refuses_malformed_request_lines() {
    use ParseError::*;
    for (line, expect) in [
        ("GET /", RequestLineMalformed),
        ("GET", RequestLineMalformed),
        ("GET  / HTTP/1.1", RequestLineMalformed),
        ("GET /  HTTP/1.1", RequestLineMalformed),
        ("GET / HTTP/1.1 ", RequestLineMalformed),
        ("GET / x HTTP/1.1", RequestLineMalformed),
        (" GET / HTTP/1.1", RequestLineMalformed),
        ("GET\t/ HTTP/1.1", RequestLineMalformed),
        ("GET HTTP/1.1", RequestLineMalformed),
        ("G(T / HTTP/1.1", MethodMalformed),
        ("GET\u{e9} / HTTP/1.1", MethodMalformed),
        ("GET /\u{7f} HTTP/1.1", ControlByte),
        ("GET /a\tb HTTP/1.1", TargetCharacter),
        ("GET / http/1.1", VersionMalformed),
        ("GET / HTTP/1.10", VersionMalformed),
        ("GET / HTTP/1.", VersionMalformed),
        ("GET / HTTP/2", VersionMalformed),
        ("GET / HTTP/1.2", VersionUnsupported),
        ("GET / HTTP/0.9", VersionUnsupported),
        ("PRI * HTTP/2.0", VersionUnsupported),
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1", MethodTooLong),
    ] {
        check_request(&format!("{line}\r\n{HOST}\r\n"), expect);
        // The line alone is enough: nobody waits for the rest of a head that cannot be one.
        check_request(&format!("{line}\r\n"), expect);
    }
}

#[test]
fn refuses_malformed_status_lines() {
    use ParseError::*;
    for (line, expect) in [
        ("HTTP/1.1 2000 OK", StatusLineMalformed),
        ("HTTP/1.1 20 OK", StatusLineMalformed),
        ("HTTP/1.1 099 OK", StatusLineMalformed),
        ("HTTP/1.1 200OK", StatusLineMalformed),
        ("HTTP/1.1 +20 OK", StatusLineMalformed),
        ("HTTP/1.1  200 OK", StatusLineMalformed),
        ("HTTP/1.1\t200 OK", StatusLineMalformed),
        ("HTTP/1.1 200\tOK", StatusLineMalformed),
        ("HTTP/1.1", StatusLineMalformed),
        ("200 OK", StatusLineMalformed),
        ("HTTP/2.0 200 OK", VersionUnsupported),
        ("http/1.1 200 OK", VersionMalformed),
        ("GET / HTTP/1.1", StatusLineMalformed),
        ("ICY 200 OK", StatusLineMalformed),
    ] {
        check_response(&format!("{line}\r\n"), expect);
    }
}

#[test]
fn refuses_malformed_field_lines() {
    use ParseError::*;
    check_field("X", NoColon);
    check_field("X y", NoColon);
    check_field(": a", NameEmpty);
    check_field(":", NameEmpty);
    // RFC 9112 section 5.1: a server refuses it, a proxy removes it from answers. Not from what says how long the body is.
    check_request("GET / HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n", SpaceBeforeColon);
    check_request("GET / HTTP/1.1\r\nHost: a\r\nX\t: a\r\n\r\n", SpaceBeforeColon);
    check_field("Content-Length : 1", SpaceBeforeColon);
    check_field("transfer-encoding\t: chunked", SpaceBeforeColon);
    check_field("X Y: a", NameMalformed);
    check_field("X(: a", NameMalformed);
    check_field("\u{e9}: a", NameMalformed);
    check_field(" X: a", ObsoleteFold);
    check_field("\tX: a", ObsoleteFold);
    check_request("GET / HTTP/1.1\r\n X: a\r\n\r\n", SpaceBeforeFields);
    check_response("HTTP/1.1 200 OK\r\n\t\r\n", SpaceBeforeFields);
}

#[test]
fn refuses_control_bytes_wherever_they_stand() {
    use ParseError::*;
    for byte in (0..=0x1fu8).chain([0x7f]).filter(|byte| !b"\t\r\n".contains(byte)) {
        let expect = if byte == 0 { Nul } else { ControlByte };
        let bad = char::from(byte);
        check_request(&format!("G{bad}T / HTTP/1.1\r\n\r\n"), expect);
        check_request(&format!("GET /{bad} HTTP/1.1\r\n\r\n"), expect);
        check_response(&format!("HTTP/1.1 200 O{bad}\r\n\r\n"), expect);
        check_field(&format!("X{bad}: a"), expect);
        check_field(&format!("X: a{bad}"), expect);
    }
}

#[test]
fn only_crlf_ends_a_line() {
    use ParseError::*;
    check_request("GET / HTTP/1.1\nHost: a\r\n\r\n", BareLf);
    check_request("GET / HTTP/1.1\r\nHost: a\n\r\n", BareLf);
    check_request("GET / HTTP/1.1\r\nHost: a\r\n\n", BareLf);
    check_request("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", BareCr);
    check_request("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", BareCr);
    check_request("GET / HTTP/1.1\r\nHost: a\r\n\rX", BareCr);
    check_request("\nGET / HTTP/1.1\r\n\r\n", BareLf);
}

#[test]
fn refuses_what_is_over_a_limit_before_its_end() {
    let small = Limits { head_max: 200, line_max: 50, target_max: 40, fields_max: 3, ..limits() };
    let check = |text: String, expect: ParseError| {
        for step in [1, 7, usize::MAX] {
            assert_eq!(read(Kind::Request, text.as_bytes(), step, &small), Err(expect), "{text:?} by {step}");
        }
    };
    check(format!("GET /{}", "a".repeat(100)), ParseError::TargetTooLong);
    check(format!("GET /{} HTTP/1.1\r\n", "a".repeat(40)), ParseError::TargetTooLong);
    check("A".repeat(100), ParseError::MethodTooLong);
    check(format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(50)), ParseError::LineTooLong);
    check("GET / HTTP/1.1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\n".into(), ParseError::TooManyFields);
    let long = "X-Name: 0123456789012345678901234567890123456789\r\n";
    let many = Limits { fields_max: 100, ..small };
    let text = format!("GET / HTTP/1.1\r\n{}", long.repeat(5));
    for step in [1, 7, usize::MAX] {
        assert_eq!(
            read(Kind::Request, text.as_bytes(), step, &many),
            Err(ParseError::HeadTooLong),
            "by {step}"
        );
    }
    let fits = format!("GET /{} HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(39), "b".repeat(47));
    assert!(read(Kind::Request, fits.as_bytes(), usize::MAX, &small).expect("fits").is_some());
}

#[test]
fn the_head_ends_where_the_next_bytes_begin() {
    let mut scanner = HeadScanner::new(Kind::Request);
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\0\x01garbage\n";
    assert_eq!(scanner.scan(bytes, &limits()), Ok(Some(27)));
    scanner.reset();
    assert_eq!(scanner.scan(&bytes[..26], &limits()), Ok(None));
    assert_eq!(scanner.scan(&bytes[..27], &limits()), Ok(Some(27)));
}

#[test]
fn parsing_wants_exactly_one_head() {
    for bytes in [
        &b""[..],
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nx",
    ] {
        let refused = request(bytes.to_vec(), Slots::default(), &limits()).expect_err("not one head");
        assert_eq!(refused.error, ParseError::Incomplete, "{bytes:?}");
        assert_eq!(refused.buf, bytes);
    }
}

#[test]
fn a_refused_head_leaves_its_line_for_the_log() {
    let bytes = b"GET /x HTTP/1.1\r\nbad line\r\n\r\n";
    let refused = request(bytes.to_vec(), Slots::default(), &limits()).expect_err("bad");
    assert_eq!((refused.error, refused.line()), (ParseError::NoColon, &b"GET /x HTTP/1.1"[..]));
    let mut scanner = HeadScanner::new(Kind::Request);
    let bytes = b"\r\nGET /x HTTP/9.9\r\n";
    assert_eq!(scanner.scan(bytes, &limits()), Err(ParseError::VersionUnsupported));
    assert_eq!(scanner.line(bytes), b"GET /x HTTP/9.9");
}

#[test]
fn nothing_is_parsed_after_a_refusal() {
    let mut scanner = HeadScanner::new(Kind::Request);
    let mut bytes = b"BAD\r\n".to_vec();
    assert_eq!(scanner.scan(&bytes, &limits()), Err(ParseError::RequestLineMalformed));
    bytes.extend_from_slice(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(scanner.scan(&bytes, &limits()), Err(ParseError::RequestLineMalformed));
    scanner.reset();
    assert_eq!(scanner.scan(&bytes[5..], &limits()), Ok(Some(27)));
}

#[test]
fn work_is_linear_in_the_bytes_however_they_come() {
    // A scanner that looked at a byte twice would need a quadratic number of steps here: 60 000 bytes, one at a time.
    // The bound is on positions, not on time: `pos` never goes back and never stops short of the input.
    let mut scanner = HeadScanner::new(Kind::Request);
    let mut bytes = b"GET / HTTP/1.1\r\nCookie: ".to_vec();
    bytes.resize(30_000, b'x');
    for end in 1..=bytes.len() {
        assert_eq!(scanner.scan(&bytes[..end], &limits()), Ok(None));
        assert!(end - scanner.pos <= 1, "at {end}");
    }
}

/// Heads that are nearly right: pieces of grammar, good and bad, in any order.
fn nearly_a_head() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(&b"GET / HTTP/1.1\r\n"[..]),
        2 => Just(&b"HTTP/1.1 200 OK\r\n"[..]),
        4 => Just(&b"Host: a\r\n"[..]),
        2 => Just(&b"X-Y:  v w \t\r\n"[..]),
        4 => Just(&b"\r\n"[..]),
        1 => Just(&b"\n"[..]),
        1 => Just(&b"\r"[..]),
        1 => Just(&b" fold\r\n"[..]),
        1 => Just(&b"\0"[..]),
        1 => Just(&b": "[..]),
        1 => Just(&b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"[..]),
    ];
    let mix =
        prop_oneof![8 => piece.prop_map(<[u8]>::to_vec), 1 => proptest::collection::vec(any::<u8>(), 0..6)];
    proptest::collection::vec(mix, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn segmentation_changes_nothing(bytes in nearly_a_head(), step in 1usize..20, is_request: bool) {
        let kind = if is_request { Kind::Request } else { Kind::Response };
        for limits in [limits(), Limits { head_max: 60, line_max: 20, target_max: 10, fields_max: 2, ..limits() }] {
            let whole = read(kind, &bytes, usize::MAX, &limits);
            prop_assert_eq!(&read(kind, &bytes, 1, &limits), &whole);
            prop_assert_eq!(&read(kind, &bytes, step, &limits), &whole);
        }
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = request(bytes.clone(), Slots::default(), &limits());
        let _ = response(bytes.clone(), Slots::default(), &limits());
        let _ = read(Kind::Request, &bytes, 3, &limits());
    }

    /// Whatever we take, an independent parser takes too, and sees the same parts. (It takes more than we do.)
    #[test]
    fn an_independent_parser_agrees(bytes in nearly_a_head()) {
        if let Ok(Some(ours)) = read(Kind::Request, &bytes, usize::MAX, &limits()) {
            let mut slots = [httparse::EMPTY_HEADER; 64];
            let mut theirs = httparse::Request::new(&mut slots);
            let status = theirs.parse(&bytes).expect("valid for both");
            prop_assert_eq!(status, httparse::Status::Complete(ours.wire_len));
            prop_assert_eq!(theirs.method.map(str::as_bytes), Some(&ours.start.0[..]));
            prop_assert_eq!(theirs.path.map(str::as_bytes), Some(&ours.start.1[..]));
            let fields: Vec<_> =
                theirs.headers.iter().map(|header| (header.name.as_bytes().to_vec(), header.value.to_vec())).collect();
            prop_assert_eq!(fields, ours.fields);
        }
    }
}

#[test]
fn a_stray_byte_is_told_with_its_line_and_place() {
    let check = |head: &str, expect: Option<(u8, usize, usize)>| {
        let mut scanner = HeadScanner::new(Kind::Request);
        assert!(scanner.scan(head.as_bytes(), &Limits::default()).is_err(), "{head:?}");
        assert_eq!(scanner.stray_byte(head.as_bytes()), expect, "{head:?}");
    };
    check("GET /\tb HTTP/1.1\r\n", Some((b'\t', 1, 6)));
    check("\r\nGET /\tb HTTP/1.1\r\n", Some((b'\t', 1, 6)));
    check("GE(T / HTTP/1.1\r\n", Some((b'(', 1, 3)));
    check("GET / HTTP/1.1\r\nHost: a\r\nX: b\u{1}c", Some((1, 3, 5)));
    check("GET / HTTP/1.1\nHost", Some((b'\n', 1, 15)));
    check("GET / HTTP/1.1\r\nX: \0", Some((0, 2, 4)));
    check("GET / HTTP/1.1\r\nX: \ra", Some((b'\r', 2, 4)));
    check("GET / HTTP/2.1\r\n", None);
}
