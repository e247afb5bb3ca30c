use super::*;
use crate::h1::parse;
use crate::head::Slots;

use ParseError::*;

fn verdict(text: &str) -> Result<(), ParseError> {
    let head = parse::request(text.as_bytes().to_vec(), Slots::default(), &Default::default()).expect(text);
    request_semantics(&head)
}

fn check(line: &str, fields: &str, expect: Result<(), ParseError>) {
    let text = format!("{line}\r\n{fields}\r\n");
    assert_eq!(verdict(&text), expect, "{text:?}");
}

#[test]
fn http11_has_one_valid_host() {
    let line = "GET / HTTP/1.1";
    check(line, "Host: a\r\n", Ok(()));
    check(line, "", Err(NoHost));
    check(line, "Host: a\r\nHost: a\r\n", Err(TwoHosts));
    check(line, "Host: a\r\nX: y\r\nhOST: b\r\n", Err(TwoHosts));
    check(line, "Host:\r\n", Err(HostMalformed));
    check(line, "Host: a b\r\n", Err(HostMalformed));
    check(line, "Host: a, b\r\n", Err(HostMalformed));
    check(line, "Host: a:99999\r\n", Err(PortMalformed));
    check(line, "Host: u@a\r\n", Err(Userinfo));
}

#[test]
fn http10_has_at_most_one_valid_host() {
    let line = "GET / HTTP/1.0";
    check(line, "", Ok(()));
    check(line, "Host: a\r\n", Ok(()));
    check(line, "Host: a\r\nHost: a\r\n", Err(TwoHosts));
    check(line, "Host: a/b\r\n", Err(HostMalformed));
}

#[test]
fn the_absolute_form_agrees_with_host() {
    check("GET http://a/ HTTP/1.1", "Host: a\r\n", Ok(()));
    check("GET http://A:80 HTTP/1.1", "Host: a\r\n", Ok(()));
    check("GET https://a:443/ HTTP/1.1", "Host: a\r\n", Ok(()));
    check("GET http://a/ HTTP/1.0", "", Ok(()));
    check("GET http://a/ HTTP/1.1", "Host: b\r\n", Err(HostDisagrees));
    check("GET http://a:81/ HTTP/1.1", "Host: a\r\n", Err(HostDisagrees));
    check("GET http://a/ HTTP/1.1", "", Err(NoHost));
}

#[test]
fn methods_and_forms_belong_together() {
    check("OPTIONS * HTTP/1.1", "Host: a\r\n", Ok(()));
    check("GET * HTTP/1.1", "Host: a\r\n", Err(TargetForm));
    check("GET a:80 HTTP/1.1", "Host: a\r\n", Err(TargetForm));
    check("CONNECT a:80 HTTP/1.1", "Host: a:80\r\n", Err(ConnectUnsupported));
    check("CONNECT / HTTP/1.1", "Host: a\r\n", Err(ConnectUnsupported));
}

#[test]
fn paths_have_no_dot_segments() {
    check("GET /a/../b HTTP/1.1", "Host: a\r\n", Err(DotSegment));
    check("GET /%2e%2e/b HTTP/1.1", "Host: a\r\n", Err(DotSegment));
    check("GET http://a/.. HTTP/1.1", "Host: a\r\n", Err(DotSegment));
    check("GET /?x=/../ HTTP/1.1", "Host: a\r\n", Ok(()));
    check("GET /.well-known/x HTTP/1.1", "Host: a\r\n", Ok(()));
}

#[test]
fn only_100_continue_can_be_expected() {
    let line = "POST / HTTP/1.1";
    check(line, "Host: a\r\nExpect: 100-continue\r\n", Ok(()));
    check(line, "Host: a\r\nExpect: 100-Continue\r\nExpect: 100-continue\r\n", Ok(()));
    for value in ["200-ok", "y 100-continue", "100-continue;q=1", "\"100-continue\"", "100-continue, x"] {
        check(line, &format!("Host: a\r\nExpect: {value}\r\n"), Err(UnknownExpectation));
    }
    assert_eq!(UnknownExpectation.status(), 417);
}

#[test]
fn connection_cannot_remove_framing_or_identity() {
    let line = "POST / HTTP/1.1";
    for name in ["Content-Length", "transfer-encoding", "Authorization", "close, cookie"] {
        check(line, &format!("Host: a\r\nConnection: {name}\r\n"), Err(ConnectionNamesCritical));
    }
    for name in
        ["close", "keep-alive, Upgrade, HTTP2-Settings", "X-Hop", "Host", "X-Forwarded-For", "TE", "?/"]
    {
        check(line, &format!("Host: a\r\nConnection: {name}\r\n"), Ok(()));
    }
}

#[test]
fn trace_has_no_body() {
    check("TRACE / HTTP/1.1", "Host: a\r\n", Ok(()));
    check("TRACE / HTTP/1.1", "Host: a\r\nContent-Length: 0\r\n", Ok(()));
    check("TRACE / HTTP/1.1", "Host: a\r\nContent-Length: 1\r\n", Err(TraceWithBody));
    check("TRACE / HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\n", Err(TraceWithBody));
}

#[test]
fn the_scheme_of_an_absolute_target_is_told() {
    let scheme = |target: &str| {
        let text = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let head = parse::request(text.into_bytes(), Slots::default(), &Default::default()).expect("valid");
        target_scheme(&head)
    };
    assert_eq!(scheme("https://a/"), Some(Scheme::Https));
    assert_eq!(scheme("http://a/"), Some(Scheme::Http));
    assert_eq!(scheme("/"), None);
}
