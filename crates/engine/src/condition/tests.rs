use plan::Pattern;
use plan::pattern::Kind;
use plan::template::Which;

use super::*;
use crate::testing::{Setup, acl, answer, exact, get, regex, template};

/// Whether the condition holds for a request with this head.
fn check(condition: &Condition, request: &str, expect: bool) {
    for keep in [true, false] {
        let stage = Setup::with(|setup| setup.captures = keep).run();
        let mut x = stage.exchange(request);
        let held = holds(condition, &mut Scene::of_rewrite(&mut x)).unwrap();
        assert_eq!(held, expect, "{condition:?} {request:?} captures {keep}");
    }
}

fn pcre(text: &str) -> Match {
    Match { pattern: Pattern::new(text, Kind::Perl, false).unwrap(), tag: None }
}

fn tagged(text: &str, tag: &str) -> Match {
    Match { tag: Some(tag.into()), ..regex(text) }
}

#[test]
fn parts_of_the_request_line_are_told_apart() {
    let request = get("/a%2Fb?x=1&y=%41&x=2", "");
    check(&Condition::Method(exact("GET")), &request, true);
    check(&Condition::Url(regex("^/a%2Fb\\?x=1&y=%41&x=2$")), &request, true);
    let path = |matches, decode| Condition::Path { matches, decode };
    check(&path(regex("^/a%2Fb$"), false), &request, true);
    check(&path(regex("^/a/b$"), false), &request, false);
    check(&path(regex("^/a/b$"), true), &request, true);
    check(&Condition::Query(regex("^x=1&y=%41&x=2$")), &request, true);
    check(&Condition::Query(regex("^$")), &get("/", ""), false);
}

#[test]
fn any_parameter_of_that_name_may_match() {
    let param =
        |name: &str, text, decode| Condition::QueryParam { name: name.into(), matches: regex(text), decode };
    let request = get("/?x=1&y=%41&x=2&flag&%78=3", "");
    for value in ["^1$", "^2$", "^3$"] {
        check(&param("x", value, false), &request, true);
    }
    check(&param("x", "^4$", false), &request, false);
    check(&param("y", "^A$", false), &request, false);
    check(&param("y", "^A$", true), &request, true);
    check(&param("flag", "^$", false), &request, true);
    check(&param("z", "^$", false), &request, false);
}

#[test]
fn every_line_of_a_field_is_looked_at() {
    let request = get("/", "X-A: 1\r\nx-a: 2\r\n");
    let field = |text| Condition::HeaderField { name: "X-A".into(), matches: regex(text) };
    check(&field("^1$"), &request, true);
    check(&field("^2$"), &request, true);
    check(&field("^3$"), &request, false);
    check(&Condition::HeaderLine(regex("^x-a: 2$")), &request, true);
    check(&Condition::HeaderLine(regex("^x-a: 1$")), &request, false);
    let long = format!("X-Long: {}\r\n", "y".repeat(1000));
    check(&Condition::HeaderLine(regex("^X-Long: y{250,}$")), &get("/", &long), true);
}

#[test]
fn a_host_is_compared_without_its_dot_and_with_and_without_its_port() {
    let host = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let condition = Condition::Host(exact("www.example.org"));
    for same in [
        "www.example.org",
        "WWW.example.ORG",
        "www.example.org.",
        "www.example.org:80",
        "www.example.org.:8080",
    ] {
        check(&condition, &host(same), true);
    }
    for other in ["example.org", "www.example.org.uk", "www.example.org:8080.uk"] {
        check(&condition, &host(other), false);
    }
    let one_port = Condition::Host(exact("www.example.org:8080"));
    check(&one_port, &host("www.example.org.:8080"), true);
    check(&one_port, &host("www.example.org:8081"), false);
    check(&one_port, &host("www.example.org"), false);
    check(&condition, "GET / HTTP/1.0\r\n\r\n", false);
}

#[test]
fn groups_of_a_host_are_those_of_the_whole_where_it_matches() {
    let group = |pattern: &str, host: &str| {
        let stage = Setup::with(|setup| setup.captures = true).run();
        let mut x = stage.exchange(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let mut scene = Scene::of_rewrite(&mut x);
        assert!(holds(&Condition::Host(regex(pattern)), &mut scene).unwrap(), "{pattern} {host}");
        String::from_utf8(scene.capture(1, &Which::Back(0)).unwrap().to_vec()).unwrap()
    };
    for (pattern, host, expect) in [
        ("^www[.](.+)", "www.example.org", "example.org"),
        ("^www[.](.+)", "www.example.org:8080", "example.org:8080"),
        ("^www[.](.+)", "www.example.org.", "example.org."),
        ("^www[.](.+[.]org)$", "www.example.org:8080", "example.org"),
        ("^www[.](.+[.]org)$", "www.example.org.:8080", "example.org"),
        ("^www[.](.+[.]org:8080)$", "www.example.org.:8080", "example.org:8080"),
    ] {
        assert_eq!(group(pattern, host), expect, "{pattern} {host}");
    }
}

#[test]
fn a_query_that_is_not_there_matches_nothing() {
    let any = Condition::Query(regex(""));
    for (target, expect) in [("/a", false), ("/a?", false), ("/a?b", true)] {
        check(&any, &get(target, ""), expect);
        check(&Condition::Not(Box::new(Condition::Query(regex("")))), &get(target, ""), !expect);
    }
}

#[test]
fn addresses_are_those_of_the_peer_or_the_forwarded_one() {
    let list = |entries: &[&str], forwarded| Condition::Acl { acl: acl(entries), forwarded };
    check(&list(&["203.0.113.0/24"], false), &get("/", ""), true);
    check(&list(&["198.51.100.0/24"], false), &get("/", ""), false);
    let stage = Setup::with(|_| ()).run();
    let mut x = stage.exchange(&get("/", ""));
    x.origin = Some("198.51.100.9".parse().unwrap());
    for (forwarded, expect) in [(false, false), (true, true)] {
        let condition = list(&["198.51.100.0/24"], forwarded);
        assert_eq!(holds(&condition, &mut Scene::of_rewrite(&mut x)).unwrap(), expect);
    }
    let stage = Setup::with(|setup| setup.peer = crate::exchange::Endpoint::Unix).run();
    let mut x = stage.exchange(&get("/", ""));
    assert!(!holds(&list(&["0.0.0.0/0", "::/0"], false), &mut Scene::of_rewrite(&mut x)).unwrap());
}

#[test]
fn conditions_combine() {
    let yes = || Condition::Method(exact("GET"));
    let no = || Condition::Method(exact("POST"));
    let request = get("/", "");
    check(&Condition::ALWAYS, &request, true);
    check(&Condition::Any(vec![]), &request, false);
    check(&Condition::All(vec![yes(), yes()]), &request, true);
    check(&Condition::All(vec![yes(), no()]), &request, false);
    check(&Condition::Any(vec![no(), yes()]), &request, true);
    check(&Condition::Not(Box::new(no())), &request, true);
    check(&Condition::Not(Box::new(Condition::All(vec![yes(), yes()]))), &request, false);
}

#[test]
fn a_string_match_sees_earlier_groups() {
    let condition = Condition::All(vec![
        Condition::Path { matches: regex("^/(.)/"), decode: false },
        Condition::StringMatch { subject: template("$1-%[host]"), matches: regex("^a-www.example.org$") },
    ]);
    let stage = Setup::with(|_| ()).run();
    let mut x = stage.exchange(&get("/a/b", ""));
    assert!(holds(&condition, &mut Scene::of_rewrite(&mut x)).unwrap());
}

#[test]
fn only_what_holds_leaves_groups() {
    let captures = |condition: &Condition, keep: bool| {
        let stage = Setup::with(|setup| setup.captures = keep).run();
        let mut x = stage.exchange(&get("/one/two", ""));
        holds(condition, &mut Scene::of_rewrite(&mut x)).unwrap();
        let scene = Scene::of_rewrite(&mut x);
        (0..3)
            .map_while(|back| scene.capture(1, &Which::Back(back)).ok())
            .map(|group| String::from_utf8(group.to_vec()).unwrap())
            .collect::<Vec<_>>()
    };
    let one = || Condition::Url(regex("/(one)"));
    let two = || Condition::Url(tagged("/(two)", "t"));
    let no = || Condition::Url(regex("/(three)"));
    assert_eq!(captures(&Condition::All(vec![one(), two()]), true), ["two", "one"]);
    assert!(captures(&Condition::All(vec![one(), two()]), false).is_empty());
    assert!(captures(&Condition::All(vec![one(), no()]), true).is_empty());
    assert_eq!(captures(&Condition::Any(vec![Condition::All(vec![one(), no()]), two()]), true), ["two"]);
    assert!(captures(&Condition::Not(Box::new(Condition::Any(vec![one(), two()]))), true).is_empty());
    assert_eq!(captures(&Condition::All(vec![one(), Condition::Not(Box::new(no()))]), true), ["one"]);
}

#[test]
fn in_a_rewrite_of_answers_fields_are_the_answers() {
    let stage = Setup::with(|_| ()).run();
    let mut x = stage.exchange(&get("/", "X-A: request\r\n"));
    x.response = answer("HTTP/1.1 200 OK\r\nX-A: answer\r\n\r\n");
    let condition = Condition::HeaderField { name: "X-A".into(), matches: regex("^answer$") };
    assert!(holds(&condition, &mut Scene::of_response(&mut x)).unwrap());
    assert!(!holds(&condition, &mut Scene::of_rewrite(&mut x)).unwrap());
}

#[test]
fn what_cannot_be_evaluated_is_an_error_and_not_a_no() {
    // The back-reference needs the backtracking engine, which this pattern takes more steps than it may have.
    let hard = || Condition::Query(pcre("^(?=(a|aa)+$)(a|aa)+\\1b$"));
    let stage = Setup::with(|_| ()).run();
    let request = get(&format!("/?{}", "a".repeat(200)), "");
    for condition in
        [hard(), Condition::Not(Box::new(hard())), Condition::Any(vec![hard(), Condition::ALWAYS])]
    {
        let mut x = stage.exchange(&request);
        let fault = holds(&condition, &mut Scene::of_rewrite(&mut x)).unwrap_err();
        assert_eq!(fault.cause.row().status, 500);
    }
}
