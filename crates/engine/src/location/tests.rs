use plan::Balancer;

use super::*;
use crate::testing::{Setup, answer, get, inet};

fn check_with(change: impl FnOnce(&mut Setup), host: &str, location: &str, expect: &str) {
    let stage = Setup::with(|setup| {
        setup.balanced(
            &[("10.0.0.1:8080", 1), ("app.internal:9000", 1), ("127.0.0.1:8000", 1)],
            Balancer::Random,
            None,
        );
        change(setup);
    })
    .run();
    for backend in 0..3 {
        let mut x = stage.exchange(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        x.backend = Some(backend);
        x.response = answer(&format!(
            "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Location: {location}\r\n\r\n"
        ));
        rewrite(&mut x);
        let field = |known| String::from_utf8(x.response.fields().get(known).unwrap().to_vec()).unwrap();
        assert_eq!(field(Known::Location), field(Known::ContentLocation));
        // Each case is about one back-end; for the others the same URL is a stranger's, unless it is the listener's.
        if field(Known::Location) == expect {
            return;
        }
    }
    panic!("{location} did not become {expect}");
}

fn check(location: &str, expect: &str) {
    check_with(|_| (), "www.example.org", location, expect);
}

#[test]
fn a_url_of_the_back_end_becomes_the_clients() {
    check("http://10.0.0.1:8080/a?b#c", "http://www.example.org/a?b#c");
    check("HTTP://10.0.0.1:8080", "http://www.example.org");
    check("http://app.internal:9000/", "http://www.example.org/");
    check("http://APP.internal.:9000/", "http://www.example.org/");
    check("http://10.0.0.99:9000/", "http://www.example.org/");
    check("http://localhost:8000/", "http://www.example.org/");
    check_with(
        |setup| setup.secure = true,
        "a.example:8443",
        "http://10.0.0.1:8080/x",
        "https://a.example:8443/x",
    );
}

#[test]
fn a_url_of_the_listener_becomes_what_the_client_asked_for() {
    check("http://192.0.2.80/x", "http://www.example.org/x");
    check("http://www.example.org:80/x", "http://www.example.org/x");
    // Behind TLS a back-end that knows of none says http.
    let tls = |setup: &mut Setup| {
        setup.secure = true;
        setup.local = inet("192.0.2.80:443");
    };
    check_with(tls, "www.example.org", "http://www.example.org/x", "https://www.example.org/x");
}

/// For every back-end.
fn stays(change: impl Fn(&mut Setup), location: &str) {
    let stage = Setup::with(|setup| {
        setup.balanced(&[("10.0.0.1:8080", 1), ("app.internal:9000", 1)], Balancer::Random, None);
        change(setup);
    })
    .run();
    for backend in 0..2 {
        let mut x = stage.exchange(&get("/", ""));
        x.backend = Some(backend);
        x.response = answer(&format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n"));
        rewrite(&mut x);
        assert_eq!(x.response.fields().get(Known::Location), Some(location.as_bytes()), "{location}");
    }
}

#[test]
fn urls_of_others_stay() {
    for location in [
        "/relative",
        "//10.0.0.1:8080/x",
        "http://10.0.0.1/x",
        "http://10.0.0.2:8080/x",
        "http://elsewhere.example/x",
        "https://www.example.org/x",
        "https://192.0.2.80/x",
        "http://www.example.org.evil.example/x",
        "ftp://10.0.0.1:8080/x",
        "http://user@10.0.0.1:8080/x",
        "http:",
    ] {
        stays(|_| (), location);
    }
}

#[test]
fn the_setting_says_whose_urls_are_meant() {
    let keep = |setup: &mut Setup| setup.listener.rewrite_location = RewriteLocation::Keep;
    stays(keep, "http://10.0.0.1:8080/x");
    let backend = |setup: &mut Setup| setup.listener.rewrite_location = RewriteLocation::Backend;
    stays(backend, "http://192.0.2.80/x");
    check_with(backend, "www.example.org", "http://10.0.0.1:8080/x", "http://www.example.org/x");
}

#[test]
fn a_back_end_that_was_told_another_host_takes_that_for_its_name() {
    let stage = Setup::with(|setup| setup.balanced(&[("10.0.0.1:8080", 1)], Balancer::Random, None)).run();
    let mut x = stage.exchange(&get("/", ""));
    x.backend = Some(0);
    x.request.fields_mut().set_known(Known::Host, b"intern.example").unwrap();
    x.response = answer("HTTP/1.1 302 Found\r\nLocation: http://intern.example/x\r\n\r\n");
    rewrite(&mut x);
    assert_eq!(x.response.fields().get(Known::Location), Some(&b"http://www.example.org/x"[..]));
}

#[test]
fn a_url_of_the_listeners_host_is_turned_whatever_its_port() {
    check("http://www.example.org:8443/x", "http://www.example.org/x");
    check("http://192.0.2.80:9999/x", "http://www.example.org/x");
    let tls = |setup: &mut Setup| {
        setup.secure = true;
        setup.local = inet("192.0.2.80:443");
    };
    check_with(tls, "www.example.org:8443", "https://www.example.org/x", "https://www.example.org:8443/x");
    // The back-end's own TLS is none of the client's.
    check("https://10.0.0.1:8080/x", "http://www.example.org/x");
}

#[test]
fn a_service_may_have_its_own_setting() {
    let own = |setup: &mut Setup| setup.services[0].rewrite_location = Some(RewriteLocation::Keep);
    let stage = Setup::with(|setup| {
        setup.balanced(&[("10.0.0.1:8080", 1)], Balancer::Random, None);
        own(setup);
    })
    .run();
    let mut x = stage.exchange(&get("/", ""));
    (x.backend, x.service) = (Some(0), Some(0));
    x.response = answer("HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1:8080/x\r\n\r\n");
    rewrite(&mut x);
    assert_eq!(x.response.fields().get(Known::Location), Some(&b"http://10.0.0.1:8080/x"[..]));
}

/// What each of two back-ends is sent of these fields, the second one having a name of its own (`ServerName`).
fn sent_of(
    change: impl FnOnce(&mut Setup),
    host: &str,
    fields: &str,
    edit: impl FnOnce(&mut Exchange),
) -> [Vec<u8>; 2] {
    let stage = Setup::with(|setup| {
        setup.listener.rewrite_destination = true;
        setup.balanced(&[("10.0.0.1:8080", 1), ("app.internal:9000", 1)], Balancer::Random, None);
        change(setup);
    })
    .run();
    let mut x = stage.exchange(&format!("COPY / HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n"));
    x.service = Some(0);
    edit(&mut x);
    let found = destinations(&x);
    [0, 1].map(|backend| {
        host_of(&mut x, &stage, backend);
        turn_destinations(&mut x, &found, &stage.running.backends[backend]);
        let mut out = Vec::new();
        for (name, value) in x.request.fields().iter().filter(|(name, _)| *name != b"Host") {
            out.extend_from_slice(&[name, b": ", value, b"\n"].concat());
        }
        out
    })
}

fn host_of(x: &mut Exchange, stage: &crate::testing::Stage, backend: usize) {
    super::host(x, &stage.running.backends[backend]);
}

fn destination_becomes(host: &str, given: &str, expect: &str) {
    for found in sent_of(|_| (), host, &format!("Destination: {given}\r\n"), |_| ()) {
        assert_eq!(String::from_utf8_lossy(&found), format!("Destination: {expect}\n"), "{host} {given}");
    }
}

#[test]
fn a_destination_names_the_host_that_the_back_end_is_sent() {
    destination_becomes("www.example.org", "http://www.example.org/b%20c", "http://www.example.org/b%20c");
    // Before us TLS may end, and a port may be mapped: what counts is what the client asked for.
    destination_becomes("www.example.org", "https://www.example.org/b", "http://www.example.org/b");
    destination_becomes("dav.example:8443", "https://dav.example:8443/b", "http://dav.example:8443/b");
    destination_becomes("dav.example", "https://dav.example:443/b", "http://dav.example/b");
    destination_becomes("dav.example", "http://192.0.2.80/b", "http://dav.example/b");
    // Another server is another server.
    for other in
        ["http://other.example/b", "http://dav.example:8080/b", "https://dav.example:8443/b", "/b", "b", ""]
    {
        destination_becomes("dav.example", other, other);
    }
}

#[test]
fn a_destination_follows_what_rules_make_of_host_and_stays_what_they_make_of_itself() {
    let field = "Destination: http://www.example.org/b\r\n";
    let host = |x: &mut Exchange| x.request.fields_mut().set_known(Known::Host, b"intern.example").unwrap();
    for found in sent_of(|_| (), "www.example.org", field, host) {
        assert_eq!(found, b"Destination: http://intern.example/b\n");
    }
    let rule =
        |x: &mut Exchange| x.request.fields_mut().set(b"Destination", b"http://rule.example/c").unwrap();
    for found in sent_of(|_| (), "www.example.org", field, rule) {
        assert_eq!(found, b"Destination: http://rule.example/c\n");
    }
    let off = |setup: &mut Setup| setup.services[0].rewrite_destination = Some(false);
    let tls = "Destination: https://www.example.org/b\r\n";
    for found in sent_of(off, "www.example.org", tls, |_| ()) {
        assert_eq!(found, b"Destination: https://www.example.org/b\n");
    }
    let on = |setup: &mut Setup| {
        setup.listener.rewrite_destination = false;
        setup.services[0].rewrite_destination = Some(true);
    };
    for found in sent_of(on, "www.example.org", tls, |_| ()) {
        assert_eq!(found, b"Destination: http://www.example.org/b\n");
    }
    let none = |x: &mut Exchange| x.request.fields_mut().remove_known(Known::Host);
    let [first, second] = sent_of(|_| (), "www.example.org", field, none);
    assert_eq!(first, b"Destination: http://10.0.0.1:8080/b\n");
    assert_eq!(second, b"Destination: http://app.internal:9000/b\n");
}

#[test]
fn the_tags_of_an_if_field_are_turned_and_its_tokens_are_not() {
    let becomes = |given: &str, expect: &str| {
        for found in sent_of(|_| (), "a.example", &format!("If: {given}\r\n"), |_| ()) {
            assert_eq!(String::from_utf8_lossy(&found), format!("If: {expect}\n"), "{given}");
        }
    };
    becomes("<https://a.example/x> (<urn:uuid:1>)", "<http://a.example/x> (<urn:uuid:1>)");
    becomes(
        "<https://a.example/x> (<https://a.example/t> [\"e)\"]) (Not <DAV:no-lock>) <https://b.example/> ([\"<https://a.example/>\"])",
        "<http://a.example/x> (<https://a.example/t> [\"e)\"]) (Not <DAV:no-lock>) <https://b.example/> ([\"<https://a.example/>\"])",
    );
    for same in
        ["(<urn:uuid:1>)", "([\"(\"]) (<https://a.example/>)", "<https://a.example/x", "(<a> [\"", "", "<>"]
    {
        becomes(same, same);
    }
}

#[test]
fn a_back_end_is_named_where_nothing_else_is_and_only_that_one() {
    let stage = Setup::with(|setup| {
        setup.balanced(&[("10.0.0.1:8080", 1), ("/run/app.sock", 1)], Balancer::Random, None);
    })
    .run();
    let mut x = stage.exchange(&get("/", ""));
    x.request.fields_mut().remove_known(Known::Host);
    for (backend, expect) in [(0, "10.0.0.1:8080"), (1, "localhost"), (0, "10.0.0.1:8080")] {
        host_of(&mut x, &stage, backend);
        assert_eq!(x.request.host(), Some(expect.as_bytes()));
        assert_eq!(asked_host(&x), Some(&b"www.example.org"[..]));
    }
}
