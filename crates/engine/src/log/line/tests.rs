use std::time::Duration;

use plan::{Balancer, LogFormat};

use super::*;
use crate::exchange::Endpoint;
use crate::testing::{Setup, answer, get};

/// The line in this format of an exchange that `change` has made, after a second and a half.
fn check_with(format: &str, head: &str, change: impl FnOnce(&mut Exchange), expect: &str) {
    let stage = Setup::with(|setup| {
        setup.listener.name = Some("front".into());
        setup.balanced(&[("10.0.0.1:80", 1), ("app.internal:9000", 1)], Balancer::Random, None);
    })
    .run();
    let mut x = stage.exchange(head);
    x.sent.status = 200;
    change(&mut x);
    let mut out = Vec::new();
    // A clock of its own, which tells the moment of the end.
    let (clock, hand) = Clock::manual();
    hand.advance(Duration::from_micros(x.began.0 + 1_500_000));
    line(&LogFormat::new("test", format).unwrap(), &x, clock.now(), &clock, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), expect, "{format}");
}

fn check(format: &str, head: &str, expect: &str) {
    check_with(format, head, |_| (), expect);
}

const FIELDS: &str = "Referer: r\r\nUser-Agent: say \"hi\"\r\nAuthorization: Basic YTpi\r\n";

#[test]
fn each_specifier_writes_its_part() {
    let head = get("/a%20b?x=1", FIELDS);
    check("%a %h %A %p %l %u", &head, "203.0.113.7 203.0.113.7 192.0.2.80 80 - a");
    check("%m %U %q %H %v|%r", &head, "GET /a%20b ?x=1 http www.example.org|GET /a%20b?x=1 HTTP/1.1");
    check("%s %b %B", &head, "200 - 0");
    check("%T %{ms}T %{us}T %{f}T %D", &head, "1 1500 1500000 1.500 1500000");
    check("%{Referer}i <%{nothing}i> %{nothing}I %{User-Agent}i", &head, "r <> - say \\\"hi\\\"");
    check("%{begin:sec}t%{s}t %{end:msec}t %{end:usec_frac}t %%", &head, "00 1500 500000 %");
    check("%P", &head, &std::process::id().to_string());
}

#[test]
fn what_never_came_to_be_is_a_dash() {
    let nothing = |x: &mut Exchange| {
        x.request = wire::RequestHead::new();
        x.sent.status = 0;
    };
    check_with(
        "%r|%m|%U|%q|%H|%v|%s|%>s|%u|%{A}i|%{A}I|%{service}N|%{backend}N|%{service}L|%{backend}L",
        &get("/", ""),
        nothing,
        "-|-|-||http|192.0.2.80|-|-|-||-|-|-|-|-",
    );
}

#[test]
fn a_request_that_could_not_be_read_is_shown_as_far_as_it_was() {
    let refused = |x: &mut Exchange| {
        x.request = wire::RequestHead::new();
        x.unparsed = b"GET /\x01\"\xff".to_vec();
        x.sent.status = 400;
    };
    check_with("%r %s", &get("/", ""), refused, "GET /\\x01\\\"\\xff 400");
}

#[test]
fn places_and_names_say_who_served() {
    let served = |x: &mut Exchange| {
        x.service = Some(0);
        x.backend = Some(1);
    };
    check_with("%{listener}N %{service}N %{backend}N", &get("/", ""), served, "front - app.internal:9000");
    check_with(
        "%{listener}L|%{service}L|%{backend}L",
        &get("/", ""),
        served,
        "pound.cfg:1|pound.cfg:0|pound.cfg:21",
    );
}

#[test]
fn lines_show_what_went_on_and_the_request_line_and_host_that_were_received() {
    let rewritten = |x: &mut Exchange| {
        x.request.set_target(b"/new?y").unwrap();
        x.request.fields_mut().set(b"Host", b"intern.example").unwrap();
        x.request.fields_mut().remove(b"Referer");
        x.origin = Some("2001:db8::1".parse().unwrap());
        x.sent.body_bytes = 7;
    };
    check_with(
        "%r %U%q %v %{Host}i %{Host}I %{Referer}i %{Referer}I",
        &get("/old?x", FIELDS),
        rewritten,
        "GET /old?x HTTP/1.1 /new?y www.example.org intern.example intern.example r -",
    );
    check_with("%a %h %b %B", &get("/", ""), rewritten, "2001:db8::1 203.0.113.7 7 7");
}

#[test]
fn no_byte_of_a_client_ends_a_line_or_a_quote() {
    let evil = "X-A: a\\\" - 200\t\u{e9}\r\nAuthorization: Basic YQoiOmI=\r\n";
    check("\"%{X-A}i\" %u", &get("/", evil), "\"a\\\\\\\" - 200\\x09\\xc3\\xa9\" a\\x0a\\\"");
}

#[test]
fn the_status_line_is_that_of_the_back_end_or_ours() {
    let ours = |x: &mut Exchange| {
        x.response = wire::ResponseHead::compose(Vec::new(), Default::default(), 200, b"OK").unwrap();
    };
    let fine = |x: &mut Exchange| x.response = answer("HTTP/1.0 200 Fine\r\n\r\n");
    check_with("%>s|%s", &get("/", ""), fine, "HTTP/1.0 200 Fine|200");
    check_with("%>s|%s", &get("/", ""), ours, "HTTP/1.1 200 OK|200");
}

#[test]
fn the_name_of_a_back_end_for_itself_is_not_the_host_of_the_line() {
    let renamed = |x: &mut Exchange| {
        x.host_before = Some(Some(b"www.example.org".to_vec()));
        x.request.fields_mut().set(b"Host", b"intern.example").unwrap();
    };
    check_with("%{host}i %{Host}I", &get("/", ""), renamed, "www.example.org intern.example");
}

#[test]
fn json_lines_are_json_whatever_is_in_them() {
    let stage = Setup::with(|setup| setup.balanced(&[("10.0.0.1:80", 1)], Balancer::Random, None)).run();
    let mut x = stage.exchange(&get("/a?b", "X-A: q\"\\\t\u{e9}\r\n"));
    x.sent.status = 204;
    let check = |format: &str, x: &Exchange, expect: &str| {
        let mut out = Vec::new();
        line(&LogFormat::json("test", format).unwrap(), x, x.began, &Clock::manual().0, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expect, "{format}");
    };
    check(
        r#"{"a":"%h %s","b":%h,"c":%s,"d":%b}"#,
        &x,
        r#"{"a":"203.0.113.7 204","b":"203.0.113.7","c":204,"d":0}"#,
    );
    check(r#"["%{X-A}i",%{X-A}i]"#, &x, r#"["q\"\\\u0009\u00e9","q\"\\\u0009\u00e9"]"#);
    check(r#"["%{no}i",%{no}i,"%{no}I",%{no}I]"#, &x, r#"["",null,"",null]"#);
    check(r#"["%u",%u,%{backend}N,%{service}L,%q]"#, &x, r#"["",null,null,null,"?b"]"#);
    check(r#"[%{f}T,%{end:usec_frac}t,%{end:sec}t,%{%H"%M}t]"#, &x, r#"[0.000,"000000",0,"00\"00"]"#);
    x.sent.status = 0;
    check(r#"[%s,"%s",%>s]"#, &x, r#"[null,"",null]"#);
}

#[test]
fn clients_on_unix_sockets_have_no_address() {
    let stage = Setup::with(|setup| {
        setup.peer = Endpoint::Unix;
        setup.local = Endpoint::Unix;
    })
    .run();
    let mut out = Vec::new();
    let format = LogFormat::new("test", "%a %h %A %p").unwrap();
    line(&format, &stage.exchange(&get("/", "")), Moment(0), &Clock::system(), &mut out);
    assert_eq!(out, b"- - - -");
}

#[test]
fn the_built_in_formats_read_as_they_always_did() {
    let formats = LogFormat::built_in();
    let stage = Setup::with(|setup| setup.balanced(&[("10.0.0.1:80", 1)], Balancer::Random, None)).run();
    let mut x = stage.exchange(&get("/", "Referer: r\r\nUser-Agent: u\r\n"));
    x.sent.status = 200;
    (x.service, x.backend) = (Some(0), Some(0));
    let written = |index: usize| {
        let mut out = Vec::new();
        line(&formats[index], &x, x.began + Duration::from_millis(1), &Clock::system(), &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(written(0), "");
    assert_eq!(written(1), "203.0.113.7 GET / HTTP/1.1 - HTTP/1.1 200");
    assert_eq!(
        written(2),
        "203.0.113.7 GET / HTTP/1.1 - HTTP/1.1 200 (www.example.org/- -> 10.0.0.1:80) 0.001 sec"
    );
    // One line, not two: a second may end between them.
    let combined = written(4);
    let time = &combined[16..44];
    assert!(time.starts_with('[') && time.ends_with(']'), "{time}");
    assert_eq!(combined.replace(time, "T"), "203.0.113.7 - - T \"GET / HTTP/1.1\" 200 - \"r\" \"u\"");
}
