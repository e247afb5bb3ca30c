use plan::template::Which;

use super::*;
use crate::exchange::{Captured, Exchange};
use crate::testing::{Setup, answer, get, template};

fn expanded(text: &str, x: &mut Exchange) -> String {
    let mut out = Vec::new();
    expand(&template(text), &Scene::of_rewrite(x), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn refused(template: &Template, x: &mut Exchange) -> String {
    let fault = expand(template, &Scene::of_rewrite(x), &mut Vec::new()).unwrap_err();
    assert_eq!(fault.cause.row().status, 500);
    fault.to_string()
}

fn check(text: &str, request: &str, expect: &str) {
    let mut x = Setup::with(|_| ()).run().exchange(request);
    assert_eq!(expanded(text, &mut x), expect, "{text} {request:?}");
}

#[test]
fn accessors_give_parts_of_the_request() {
    let request = get("/a%20b?x=1&y=&x=2", "X-A: v\r\nX-A: w\r\nAuthorization: Basic YTpi\r\n");
    check("%[url]", &request, "/a%20b?x=1&y=&x=2");
    check("%[path]|%[query]", &request, "/a%20b|x=1&y=&x=2");
    check("%[param x]|%[param y]|%[param z]", &request, "1||");
    check("%[header x-a]", &request, "v");
    check("%[host]|%[port]", &request, "www.example.org|");
    check("%[remoteip 0]", &request, "203.0.113.7");
    check("%[user]", &request, "a");
}

#[test]
fn host_and_port_are_split() {
    check("%[host]|%[port]", "GET / HTTP/1.1\r\nHost: a.example.:8080\r\n\r\n", "a.example|:8080");
    check("%[host]|%[port]", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:81\r\n\r\n", "[2001:db8::1]|:81");
    check(
        "https://%[host]%[port]%[url]",
        "GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "https://a.example/a",
    );
}

#[test]
fn what_is_missing_is_empty() {
    check("<%[host]%[port]%[query]%[header X]%[user]%[param x]>", "GET / HTTP/1.0\r\n\r\n", "<>");
}

#[test]
fn groups_are_found_by_distance_and_by_tag() {
    let captured = |tag: Option<&str>, groups: &[Option<&str>]| Captured {
        tag: tag.map(str::to_owned),
        groups: groups.iter().map(|group| group.map(|group| group.as_bytes().into())).collect(),
    };
    let mut x = Setup::with(|_| ()).run().exchange(&get("/", ""));
    x.captures = vec![
        captured(Some("t"), &[Some("zero"), Some("one")]),
        captured(Some("t"), &[Some("ZERO"), Some("ONE")]),
        captured(None, &[Some("0"), None, Some("2")]),
    ];
    assert_eq!(expanded("$0$1$2", &mut x), "02");
    assert_eq!(expanded("$1(1)-$1(2)-%1", &mut x), "ONE-one-ONE");
    assert_eq!(expanded("$1(t)", &mut x), "ONE");
    assert_eq!(expanded("${2}2$$", &mut x), "22$");
    assert_eq!(Scene::of_rewrite(&mut x).capture(0, &Which::Back(2)), Ok(&b"zero"[..]));
}

#[test]
fn a_reference_to_nothing_is_a_fault_that_says_which() {
    let mut x = Setup::with(|_| ()).run().exchange(&get("/", ""));
    let in_file = template("http://$1/").from_place("pound.cfg:7: Redirect \"http://$1/\"");
    assert_eq!(
        refused(&in_file, &mut x),
        "pound.cfg:7: Redirect \"http://$1/\": $1 refers to a match, and no pattern has matched this request"
    );
    x.captures = vec![Captured { tag: None, groups: vec![Some(b"0"[..].into()), Some(b"1"[..].into())] }];
    let mut check = |text: &str, expect: &str| assert_eq!(refused(&template(text), &mut x), expect);
    check("/$2", "\"/${2}\": $2 refers to group 2, and the pattern that matched has 1");
    check(
        "/%1",
        "\"/${1(1)}\": $1(1) refers to the match 1 before the latest, and patterns have matched 1 times so far",
    );
    check(
        "$0(app)",
        "\"${0(app)}\": $0(app) refers to the pattern tagged app, which has not matched this request",
    );
}

#[test]
fn the_forwarded_address_is_the_one_that_proxies_report() {
    let mut x = Setup::with(|_| ()).run().exchange(&get("/", ""));
    x.origin = Some("2001:db8::1".parse().unwrap());
    assert_eq!(expanded("%[remoteip 1] %[remoteip 0]", &mut x), "2001:db8::1 203.0.113.7");
}

#[test]
fn in_a_rewrite_of_answers_fields_are_the_answers_and_the_rest_is_the_requests() {
    let mut x = Setup::with(|_| ()).run().exchange(&get("/a", "X-A: request\r\n"));
    x.response = answer("HTTP/1.1 200 OK\r\nX-A: answer\r\n\r\n");
    let mut out = Vec::new();
    expand(&template("%[header X-A] %[path]"), &Scene::of_response(&mut x), &mut out).unwrap();
    assert_eq!(out, b"answer /a");
}
