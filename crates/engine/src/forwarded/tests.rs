use plan::{Condition, Target};

use super::*;
use crate::sanitize;
use crate::testing::{Setup, acl, get, inet};

const CLAIMS: &str = "X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nx-forwarded-host: evil\r\nX-Forwarded-Anything: 1\r\n\
    X-SSL-Subject: CN=admin\r\nX-Real-IP: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\nFront-End-Https: on\r\nX-Client-Verify: SUCCESS\r\n";

/// The fields of a request as the back-end gets them.
fn passed(change: impl FnOnce(&mut Setup), fields: &str) -> Vec<(String, String)> {
    let stage = Setup::with(change).run();
    let mut x = stage.exchange(&get("/", fields));
    sanitize::request(&mut x).unwrap();
    x.service = (!x.running.plan.services.is_empty()).then_some(0);
    apply(&mut x);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    x.request.fields().iter().map(|(name, value)| (text(name).to_lowercase(), text(value))).collect()
}

fn check(change: impl FnOnce(&mut Setup), fields: &str, expect: &[(&str, &str)]) {
    let fields = passed(change, fields);
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut all = vec![("host", "www.example.org")];
    all.extend_from_slice(expect);
    assert_eq!(fields, all);
}

const PLAIN: &[(&str, &str)] =
    &[("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "http"), ("x-forwarded-port", "80")];

#[test]
fn the_back_end_learns_who_the_client_is() {
    check(|_| (), "", PLAIN);
    check(
        |setup| {
            setup.secure = true;
            setup.peer = inet("[::ffff:198.51.100.1]:1");
            setup.local = inet("[2001:db8::1]:8443");
        },
        "",
        &[("x-forwarded-for", "198.51.100.1"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "8443")],
    );
    check(|setup| setup.listener.forwarded_headers = false, "", &[]);
}

#[test]
fn claims_of_an_untrusted_peer_are_removed_or_replaced() {
    check(|_| (), CLAIMS, PLAIN);
    check(|setup| setup.listener.forwarded_headers = false, CLAIMS, &[]);
    check(|_| (), "Connection: X-Forwarded-Proto\r\nX-Forwarded-Proto: https\r\n", PLAIN);
}

#[test]
fn names_with_underscores_are_nobodys_word() {
    let twins = "X_Forwarded_For: 1.2.3.4\r\nx-forwarded_proto: https\r\nX_SSL_Subject: a\r\nContent_Length: 3\r\nHOST_: x\r\n";
    let mut expect = vec![("host_", "x")];
    expect.extend_from_slice(PLAIN);
    check(|_| (), twins, &expect);
    let trusted = passed(|setup| setup.listener.trusted = acl(&["203.0.113.7"]), twins);
    assert!(
        !trusted.iter().any(|(name, _)| name.contains("forwarded_") || name.contains("content_")),
        "{trusted:?}"
    );
}

#[test]
fn a_list_from_a_stranger_is_replaced_by_its_address() {
    let lines = "X-Forwarded-For: 1.2.3.4\r\nX-FORWARDED-FOR: 5.6.7.8, 9.9.9.9\r\n";
    check(|_| (), lines, PLAIN);
    // A service may trust it, and another one gets the request.
    let elsewhere = |setup: &mut Setup| {
        setup.service(Condition::ALWAYS, Target::Success);
        setup.service(Condition::ALWAYS, Target::Success).trusted = Some(acl(&["203.0.113.7"]));
    };
    check(elsewhere, lines, PLAIN);
}

#[test]
fn our_entry_is_the_last_of_the_list_of_a_trusted_proxy() {
    let trusting = |setup: &mut Setup| setup.listener.trusted = acl(&["203.0.113.7"]);
    let lines = "X-Forwarded-For: 1.2.3.4\r\nA: 1\r\nX-Forwarded-For: 5.6.7.8, 9.9.9.9\r\n";
    let expect = [
        ("x-forwarded-for", "1.2.3.4, 5.6.7.8, 9.9.9.9, 203.0.113.7"),
        ("a", "1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "80"),
    ];
    check(trusting, lines, &expect);
    check(trusting, "X-Forwarded-For:\r\n", PLAIN);
}

#[test]
fn without_an_entry_of_ours_a_list_needs_trust() {
    let list = "X-Forwarded-For: 1.2.3.4\r\n";
    check(|setup| setup.listener.forwarded_headers = false, list, &[]);
    let trusting = |setup: &mut Setup| {
        setup.listener.forwarded_headers = false;
        setup.listener.trusted = acl(&["203.0.113.0/24"]);
    };
    check(trusting, list, &[("x-forwarded-for", "1.2.3.4")]);
}

#[test]
fn the_word_of_a_trusted_peer_stands() {
    let trusting = |setup: &mut Setup| setup.listener.trusted = acl(&["203.0.113.7"]);
    let fields = passed(trusting, CLAIMS);
    for kept in [("x-forwarded-proto", "https"), ("x-forwarded-port", "443"), ("x-ssl-subject", "CN=admin")] {
        assert!(fields.contains(&(kept.0.into(), kept.1.into())), "{kept:?}");
    }
    assert!(fields.contains(&("x-forwarded-for".into(), "203.0.113.7".into())));
}

#[test]
fn whoever_reaches_a_unix_socket_is_trusted() {
    let unix = |setup: &mut Setup| {
        setup.peer = Endpoint::Unix;
        setup.local = Endpoint::Unix;
    };
    let sent = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n";
    check(
        unix,
        sent,
        &[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https"), ("x-forwarded-port", "443")],
    );
    check(unix, "", &[("x-forwarded-proto", "http")]);
}

#[test]
fn a_service_may_trust_others_than_its_listener() {
    let service = |trusted: &'static str| {
        move |setup: &mut Setup| {
            setup.service(Condition::ALWAYS, Target::Success);
            setup.service(Condition::ALWAYS, Target::Success).trusted = Some(acl(&["203.0.113.7"]));
            if !trusted.is_empty() {
                setup.services[0].trusted = Some(acl(&[trusted]));
            }
        }
    };
    let proto = |trusted| {
        passed(service(trusted), CLAIMS).into_iter().find(|(name, _)| name == "x-forwarded-proto").unwrap().1
    };
    assert_eq!(proto("203.0.113.7"), "https");
    assert_eq!(proto("10.0.0.1"), "http");
    let real = |trusted| passed(service(trusted), CLAIMS).iter().any(|(name, _)| name == "x-real-ip");
    assert!(real("203.0.113.7"));
    assert!(!real("10.0.0.1"));
    assert!(!real(""), "a service without a list of its own has the listener's");
}

#[test]
fn the_client_is_the_first_that_no_trusted_proxy_vouches_for() {
    let origin = |trusted: &[&str], fields: &str| {
        let stage = Setup::with(|setup| setup.listener.trusted = acl(trusted)).run();
        let mut x = stage.exchange(&get("/", fields));
        admit(&mut x);
        x.origin.unwrap().to_string()
    };
    let ours = &["203.0.113.7", "10.0.0.0/8"][..];
    assert_eq!(origin(&[], "X-Forwarded-For: 1.2.3.4\r\n"), "203.0.113.7");
    assert_eq!(origin(ours, ""), "203.0.113.7");
    assert_eq!(origin(ours, "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n"), "1.2.3.4");
    assert_eq!(origin(ours, "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.0.0.1\r\n"), "1.2.3.4");
    assert_eq!(
        origin(ours, "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n"),
        "1.2.3.4"
    );
    assert_eq!(origin(ours, "X-Forwarded-For: 10.0.0.2, 10.0.0.1\r\n"), "10.0.0.2");
    assert_eq!(origin(ours, "X-Forwarded-For: 1.2.3.4, unknown, 10.0.0.1\r\n"), "10.0.0.1");
    assert_eq!(origin(ours, "X-Forwarded-For: , 1.2.3.4:80 ,\r\n"), "1.2.3.4");
    assert_eq!(origin(ours, "X-Forwarded-For: [2001:db8::1]:80\r\n"), "2001:db8::1");
    assert_eq!(origin(ours, "X-Forwarded-For: ::ffff:1.2.3.4\r\n"), "1.2.3.4");
}

#[test]
fn the_list_may_have_another_name() {
    let named = |trusted: &[&str]| {
        let stage = Setup::with(|setup| {
            setup.listener.forwarded_header = "CF-Connecting-IP".into();
            setup.listener.trusted = acl(trusted);
        })
        .run();
        let mut x = stage.exchange(&get("/", "cf-connecting-ip: 1.2.3.4\r\n"));
        admit(&mut x);
        (x.origin.unwrap().to_string(), x.request.fields().find(b"CF-Connecting-IP").is_some())
    };
    assert_eq!(named(&["203.0.113.7"]), ("1.2.3.4".into(), true));
    assert_eq!(named(&[]), ("203.0.113.7".into(), false));
}

#[test]
fn the_quick_look_at_a_name_misses_no_claim() {
    for claim in CLAIM_FAMILIES.iter().chain(CLAIM_NAMES) {
        assert!(in_claim_table(claim), "{claim:?}");
        assert!(in_claim_table(&claim.to_ascii_uppercase()), "{claim:?}");
    }
    for name in ["X-Client", "X-Forwarded", "Forwarded-By", "x-real-ipx", "Accept"] {
        assert!(!in_claim_table(name.as_bytes()), "{name}");
    }
}
