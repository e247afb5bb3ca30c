use std::time::Duration;

use plan::{Balancer, LogFormat};

use super::*;
use crate::exchange::Endpoint;
use crate::testing::{Setup, get};

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
    check("%m %U %q %H %v|%r", &head, "GET /a%20b ?x=1 HTTP/1.1 www.example.org|GET /a%20b?x=1 HTTP/1.1");
    check("%s %>s %b %B", &head, "200 200 - 0");
    check("%T %{ms}T %{us}T %{f}T %D", &head, "1 1500 1500000 1.500000 1500000");
    check("%{Referer}i %{nothing}i %{User-Agent}i", &head, "r - say \\\"hi\\\"");
    check("%{begin:sec}t %{end:msec}t %{end:usec_frac}t %%", &head, "0 1500 500000 %");
    check("%P", &head, &std::process::id().to_string());
}

#[test]
fn what_never_came_to_be_is_a_dash() {
    let nothing = |x: &mut Exchange| {
        x.request = wire::RequestHead::new();
        x.sent.status = 0;
    };
    check_with(
        "%r|%m|%U|%q|%H|%v|%s|%u|%{A}i|%{service}N|%{backend}N",
        &get("/", ""),
        nothing,
        "-|-|-||-|-|-|-|-|-|-",
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
    check_with(
        "%{listener}N %{service}N %{backend}N",
        &get("/", ""),
        served,
        "front service 0 app.internal:9000",
    );
    check_with(
        "%{listener}L|%{service}L|%{backend}L",
        &get("/", ""),
        served,
        "listener 1|service 0|back-end 2",
    );
}

#[test]
fn lines_show_what_was_received_whatever_was_rewritten() {
    let rewritten = |x: &mut Exchange| {
        x.request.set_target(b"/new?y").unwrap();
        x.request.fields_mut().set(b"Host", b"intern.example").unwrap();
        x.request.fields_mut().remove(b"Referer");
        x.origin = Some("2001:db8::1".parse().unwrap());
        x.sent.body_bytes = 7;
    };
    check_with(
        "%U%q %v %{Host}i %{Host}I %{Referer}i %{Referer}I",
        &get("/old?x", FIELDS),
        rewritten,
        "/old?x www.example.org www.example.org intern.example r -",
    );
    check_with("%a %h %b %B", &get("/", ""), rewritten, "2001:db8::1 203.0.113.7 7 7");
}

#[test]
fn no_byte_of_a_client_ends_a_line_or_a_quote() {
    let evil = "X-A: a\\\" - 200\t\u{e9}\r\nAuthorization: Basic YQoiOmI=\r\n";
    check("\"%{X-A}i\" %u", &get("/", evil), "\"a\\\\\\\" - 200\\x09\\xc3\\xa9\" a\\x0a\\\"");
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
    assert_eq!(written(1), "203.0.113.7 GET / HTTP/1.1 - 200");
    assert_eq!(
        written(2),
        "203.0.113.7 GET / HTTP/1.1 - 200 (www.example.org/service 0 -> 10.0.0.1:80) 0.001000 sec"
    );
    // One line, not two: a second may end between them.
    let combined = written(4);
    let time = &combined[16..44];
    assert!(time.starts_with('[') && time.ends_with(']'), "{time}");
    assert_eq!(combined.replace(time, "T"), "203.0.113.7 - - T \"GET / HTTP/1.1\" 200 - \"r\" \"u\"");
}
