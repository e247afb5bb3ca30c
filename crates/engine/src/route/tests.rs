use plan::{Condition, Target};

use super::*;
use crate::testing::{Setup, acl, get, regex};

fn path(text: &str) -> Condition {
    Condition::Path { matches: regex(text), decode: false }
}

#[test]
fn the_first_service_in_file_order_answers() {
    let stage = Setup::with(|setup| {
        setup.service(path("^/a"), Target::Success);
        setup.service(path("^/ab"), Target::Success);
        setup.service(path("^/off"), Target::Success).disabled = true;
        setup.service(path("^/o"), Target::Success);
    })
    .run();
    let found = |target: &str| find(&mut stage.exchange(&get(target, "")));
    assert_eq!(found("/abc").unwrap(), 0);
    assert_eq!(found("/off").unwrap(), 3);
    let fault = found("/x").unwrap_err();
    assert_eq!((fault.stage, fault.cause.row().code), (Stage::Route, "E-NO-SERVICE"));
}

#[test]
fn only_the_service_that_answers_leaves_groups() {
    let stage = Setup::with(|setup| {
        setup.service(Condition::All(vec![path("^/(a)"), path("(z)")]), Target::Success);
        setup.service(path("^/a(b)"), Target::Success);
    })
    .run();
    let mut x = stage.exchange(&get("/ab", ""));
    assert_eq!(find(&mut x).unwrap(), 1);
    assert_eq!(x.service, Some(1));
    assert_eq!(x.captures.len(), 1);
    assert_eq!(x.captures[0].groups[1].as_deref(), Some(&b"b"[..]));
}

#[test]
fn a_service_sees_the_client_through_its_own_trusted_proxies() {
    let forwarded = |entry: &str| Condition::Acl { acl: acl(&[entry]), forwarded: true };
    let stage = Setup::with(|setup| {
        setup.service(forwarded("198.51.100.1"), Target::Success);
        setup.service(forwarded("198.51.100.1"), Target::Success).trusted = Some(acl(&["203.0.113.7"]));
        setup.service(Condition::ALWAYS, Target::Success);
    })
    .run();
    let mut x = stage.exchange(&get("/", "X-Forwarded-For: 198.51.100.1\r\n"));
    assert_eq!(find(&mut x).unwrap(), 1);
    assert_eq!(x.origin, Some("198.51.100.1".parse().unwrap()));
    let mut x = stage.exchange(&get("/", "X-Forwarded-For: 198.51.100.2\r\n"));
    assert_eq!(find(&mut x).unwrap(), 2);
    assert_eq!(x.origin, Some("203.0.113.7".parse().unwrap()));
}
