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
        "http://www.example.org:8443/x",
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
fn a_destination_follows_the_request_to_each_back_end() {
    let stage = |rewrite| {
        Setup::with(|setup| {
            setup.listener.rewrite_destination = rewrite;
            setup.balanced(&[("10.0.0.1:8080", 1), ("app.internal:9000", 1)], Balancer::Random, None);
        })
        .run()
    };
    let sent = |rewrite, given: &str, backends: &[usize]| {
        let stage = stage(rewrite);
        let mut x = stage.exchange(&get("/", &format!("Destination: {given}\r\n")));
        for &backend in backends {
            destination(&mut x, &stage.running.backends[backend]);
        }
        String::from_utf8(x.request.fields().get(Known::Destination).unwrap().to_vec()).unwrap()
    };
    assert_eq!(sent(true, "http://www.example.org/b%20c", &[0]), "http://10.0.0.1:8080/b%20c");
    assert_eq!(sent(true, "http://www.example.org/b", &[0, 1]), "http://app.internal:9000/b");
    assert_eq!(sent(true, "http://other.example/b", &[0]), "http://other.example/b");
    assert_eq!(sent(true, "/b", &[0]), "/b");
    assert_eq!(sent(false, "http://www.example.org/b", &[0]), "http://www.example.org/b");
}
