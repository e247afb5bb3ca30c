use super::*;
use crate::h1::parse;
use crate::head::Slots;

fn head(version: &str, fields: &str) -> RequestHead {
    let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
    parse::request(text.into_bytes(), Slots::default(), &Default::default()).expect("valid head")
}

fn names(fields: &Fields) -> String {
    let names: Vec<_> = fields.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    names.join(" ")
}

fn check(fields: &str, expect: &str) {
    let mut head = head("1.1", fields);
    remove_hop_by_hop(head.fields_mut());
    assert_eq!(names(head.fields()), expect, "{fields:?}");
}

#[test]
fn connection_fields_and_what_they_name_are_removed() {
    check("Connection: X-Hop\r\nX-Hop: 1\r\n", "Host");
    check("x-hop: 1\r\nX-Stay: 2\r\nConnection: close,X-HOP\r\nX-Hop: 3\r\n", "Host X-Stay");
    check("Connection: a\r\nConnection: b, c\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n", "Host D");
    check("Connection: Accept, ,\r\nAccept: */*\r\n", "Host");
    check("Connection: a b, \"c\"\r\nA: 1\r\nC: 1\r\n", "Host A C");
}

#[test]
fn what_belongs_to_a_connection_goes_even_unnamed() {
    check(
        "Keep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n",
        "Host",
    );
    check("Transfer-Encoding: chunked\r\nProxy-Authorization: Basic x\r\nTrailer: X\r\n", "Host Trailer");
    check(
        "Upgrade-Insecure-Requests: 1\r\nContent-Length: 5\r\n",
        "Host Upgrade-Insecure-Requests Content-Length",
    );
}

#[test]
fn fields_for_the_recipient_cannot_be_named_away() {
    let fields = "Connection: Host, X-Forwarded-For, cookie, authorization, content-length, X-Real-IP, close\r\n\
                  X-Forwarded-For: 1\r\nCookie: a\r\nAuthorization: b\r\nContent-Length: 0\r\nX-Real-IP: 1\r\nClose: 1\r\n";
    check(fields, "Host X-Forwarded-For Cookie Authorization Content-Length X-Real-IP Close");
}

#[test]
fn nominated_names_reach_the_trailers() {
    let mut head = head("1.1", "Connection: X-Check\r\n");
    let nominated = remove_hop_by_hop(head.fields_mut());
    assert!(!nominated.is_empty() && nominated.contains(b"x-cHECK") && !nominated.contains(b"x-chec"));
    let mut trailers = Fields::new();
    trailers.append(b"X-Check", b"1").expect("valid");
    trailers.append(b"X-Other", b"2").expect("valid");
    nominated.remove_from(&mut trailers);
    assert_eq!(names(&trailers), "X-Other");
}

#[test]
fn ordinary_connections_nominate_nothing() {
    for value in ["close", "keep-alive", "Upgrade, HTTP2-Settings", "TE, close", ""] {
        assert!(
            Nominated::by(head("1.1", &format!("Connection: {value}\r\n")).fields()).is_empty(),
            "{value}"
        );
    }
}

#[test]
fn many_options_and_many_fields_stay_cheap() {
    // 100 fields against 6000 options. The names are sorted once, so each field costs one binary search: no more
    // comparisons than fields times log2(options).
    let options: Vec<_> = (0..6000).map(|n| format!("a{n}")).collect();
    let fields: String = (0..100).map(|n| format!("a{n}: x\r\n")).collect();
    let limits = crate::Limits { head_max: 1 << 20, line_max: 1 << 20, ..Default::default() };
    let text = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {}\r\n{fields}\r\n", options.join(","));
    let mut head = parse::request(text.into_bytes(), Slots::default(), &limits).expect("valid");
    let nominated = remove_hop_by_hop(head.fields_mut());
    assert_eq!((nominated.names.len(), head.fields().len()), (6000, 1));
    assert!(nominated.names.is_sorted());
}

#[test]
fn upgrades_need_the_option_and_a_foreign_protocol() {
    let check = |version: &str, fields: &str, expect: Option<&str>| {
        let head = head(version, fields);
        assert_eq!(upgrade_request(&head), expect.map(str::as_bytes), "{fields:?}");
    };
    check("1.1", "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n", Some("WebSocket"));
    check("1.1", "Connection: upgrade\r\nUpgrade: h2c, websocket\r\n", Some("websocket"));
    check("1.1", "Connection: upgrade\r\nUpgrade: foo/2\r\n", Some("foo/2"));
    check("1.0", "Connection: Upgrade\r\nUpgrade: websocket\r\n", None);
    check("1.1", "Upgrade: websocket\r\n", None);
    check("1.1", "Connection: upgrade\r\n", None);
    for protocol in ["h2c", "H2C", "h2", "h2c/1", "HTTP/2.0", "TLS/1.0", "a b", "a/b/c", "/x", "h3"] {
        check("1.1", &format!("Connection: upgrade\r\nUpgrade: {protocol}\r\n"), None);
    }
}
