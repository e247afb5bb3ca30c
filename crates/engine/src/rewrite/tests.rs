use plan::listener::MethodLevel;
use plan::pattern::Kind;
use plan::rewrite::{Branch, Rewrites};
use plan::{Condition, Target};
use proptest::prelude::*;

use super::*;
use crate::testing::{Setup, answer, get, regex, template};

fn rewritten(
    listener: Vec<Step<RequestEdit>>,
    service: Vec<Step<RequestEdit>>,
    head: &str,
) -> Result<Exchange, Fault> {
    let stage = Setup::with(|setup| {
        setup.listener.methods = MethodLevel::Microsoft;
        setup.listener.forwarded_headers = false;
        setup.listener.rewrites.request = listener;
        setup.service(Condition::ALWAYS, Target::Success).rewrites.request = service;
    })
    .run();
    let mut x = stage.exchange(head);
    super::request(&mut x, 0).map(|()| x)
}

fn edit(edit: RequestEdit) -> Step<RequestEdit> {
    Step::Edit(edit)
}

fn set(name: &str, value: &str) -> RequestEdit {
    RequestEdit::Field(FieldEdit::Set { name: name.into(), value: template(value) })
}

fn delete(pattern: &str) -> RequestEdit {
    RequestEdit::Field(FieldEdit::Delete(Pattern::new(pattern, Kind::Posix, false).unwrap()))
}

fn set_path(path: &str, encode: bool) -> RequestEdit {
    RequestEdit::SetPath { path: template(path), encode }
}

fn set_param(name: &str, value: Option<&str>, encode: bool) -> RequestEdit {
    RequestEdit::SetQueryParam { name: name.into(), value: value.map(template), encode }
}

/// The branch of a `Rewrite` that keeps the groups of a match in the path.
fn if_path(pattern: &str, decode: bool, then: RequestEdit) -> Step<RequestEdit> {
    let condition = Condition::Path { matches: regex(pattern), decode };
    Step::Choose(vec![Branch { condition, steps: vec![edit(then)] }])
}

/// The target after one edit.
fn target(change: RequestEdit, before: &str, after: &str) {
    let x = rewritten(vec![], vec![edit(change)], &get(before, "")).unwrap();
    assert_eq!(String::from_utf8_lossy(x.request.target()), after, "{before}");
}

#[test]
fn path_and_query_are_replaced() {
    let url = |url| RequestEdit::SetUrl(template(url));
    target(url("/new?a=b"), "/old?x", "/new?a=b");
    target(url("new"), "/old?x", "/new");
    target(url("%[url]"), "/old?x?y", "/old?x?y");
    target(set_path("/new", false), "/old?x", "/new?x");
    target(set_path("/a b\u{e9}#?", false), "/old", "/a%20b%C3%A9%23%3F");
    target(set_path("/%41/$%4/100%", false), "/old", "/%41/%254/100%25");
    target(set_path("/%41/?", true), "/old", "/%2541/%3F");
    let query = |query| RequestEdit::SetQuery(template(query));
    target(query("a=b c#d"), "/old?x", "/old?a=b%20c%23d");
    target(query("%[param x]"), "/old", "/old");
    target(RequestEdit::DeleteQuery, "/old?x", "/old");
    target(RequestEdit::DeleteQuery, "/old", "/old");
}

#[test]
fn a_parameter_is_set_at_its_place_and_once() {
    target(set_param("b", Some("9"), false), "/?a=1&b=2&c=3&b=4", "/?a=1&b=9&c=3");
    target(set_param("b", Some("9"), false), "/?a=1", "/?a=1&b=9");
    target(set_param("b", Some("9"), false), "/", "/?b=9");
    target(set_param("b", Some("x&y=z %"), true), "/?%62=1", "/?b=x%26y%3Dz%20%25");
    target(set_param("b", Some("x&y z"), false), "/", "/?b=x&y%20z");
    target(set_param("b", None, false), "/?a=1&b=2&b&c", "/?a=1&c");
    target(set_param("b", None, false), "/?b=2", "/");
    target(set_param("\u{fc}", Some("1"), false), "/", "/?%C3%BC=1");
}

#[test]
fn the_star_of_options_stays() {
    for change in
        [RequestEdit::DeleteQuery, set_param("a", Some("1"), false), RequestEdit::SetQuery(template("q"))]
    {
        let x =
            rewritten(vec![edit(change)], vec![], "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
        assert_eq!(x.request.target(), b"*");
    }
}

#[test]
fn the_listener_comes_before_the_service_and_both_after_our_own_fields() {
    let stage = Setup::with(|setup| {
        setup.listener.rewrites.request = vec![edit(set("X-A", "l")), edit(delete("^X-Forwarded-Port:"))];
        setup.service(Condition::ALWAYS, Target::Success).rewrites.request =
            vec![edit(set("X-A", "%[header X-A]s")), edit(set("X-Forwarded-Proto", "gopher"))];
    })
    .run();
    let mut x = stage.exchange(&get("/", ""));
    super::request(&mut x, 0).unwrap();
    let field = |name: &str| x.request.fields().find(name.as_bytes());
    assert_eq!(field("X-A"), Some(&b"ls"[..]));
    assert_eq!(field("X-Forwarded-Proto"), Some(&b"gopher"[..]));
    assert_eq!(field("X-Forwarded-Port"), None);
    assert_eq!(field("X-Forwarded-For"), Some(&b"203.0.113.7"[..]));
}

#[test]
fn the_first_branch_that_holds_is_taken() {
    let branch = |condition, value: &str| Branch { condition, steps: vec![edit(set("X-Branch", value))] };
    let path = |pattern| Condition::Path { matches: regex(pattern), decode: false };
    let taken = |target: &str| {
        let branches =
            vec![branch(path("^/a"), "a"), branch(path("^/ab"), "ab"), branch(Condition::ALWAYS, "else")];
        let x = rewritten(vec![Step::Choose(branches)], vec![], &get(target, "")).unwrap();
        String::from_utf8(x.request.fields().find(b"X-Branch").unwrap().to_vec()).unwrap()
    };
    assert_eq!((taken("/abc").as_str(), taken("/b").as_str()), ("a", "else"));
    let x = rewritten(vec![Step::Choose(vec![branch(path("^/z"), "z")])], vec![], &get("/", "")).unwrap();
    assert_eq!(x.request.fields().find(b"X-Branch"), None);
}

#[test]
fn groups_of_a_branch_reach_its_edits() {
    let step = if_path("^/old/(.*)$", false, set_path("/new/$1", false));
    let x = rewritten(vec![step], vec![], &get("/old/x/y?q", "")).unwrap();
    assert_eq!(x.request.target(), b"/new/x/y?q");
}

#[test]
fn a_decoded_group_begins_no_field() {
    let step = if_path("^/(.*)$", true, set("X-Path", "<$1>"));
    let x = rewritten(vec![step], vec![], &get("/a%0d%0aEvil:%201%7f%09%c3%a9", "")).unwrap();
    assert_eq!(x.request.fields().find(b"X-Path"), Some(&b"<a%0D%0AEvil: 1%7F\t\xc3\xa9>"[..]));
    assert_eq!(x.request.fields().len(), 2);
}

#[test]
fn groups_cannot_combine_to_a_way_out() {
    let fault = |path: &str, target: &str| {
        let step = if_path("^/x(.*)$", false, set_path(path, false));
        rewritten(vec![step], vec![], &get(target, "")).err().map(|fault| fault.cause.row().code)
    };
    assert_eq!(fault("/base/$1", "/x../secret"), Some("E-DOT-SEGMENT"));
    assert_eq!(fault("/base/.$1", "/x./secret"), Some("E-DOT-SEGMENT"));
    assert_eq!(fault("/base/$1", "/x..y/secret"), None);
}

#[test]
fn framing_and_connection_cannot_be_set() {
    for name in ["Content-Length", "transfer-encoding", "Connection", "Upgrade", "TE", "Keep-Alive"] {
        let x = rewritten(vec![edit(set(name, "5"))], vec![], &get("/", "")).unwrap();
        assert_eq!(x.request.fields().find(name.as_bytes()), None, "{name}");
    }
}

#[test]
fn host_can_be_set_to_a_host_only() {
    let x = rewritten(vec![edit(set("host", "b.example:81"))], vec![], &get("/", "")).unwrap();
    assert_eq!(x.request.host(), Some(&b"b.example:81"[..]));
    assert_eq!(x.request.fields().count(Known::Host), 1);
    for bad in ["%[header X-A]", "a b", ""] {
        let fault = rewritten(vec![edit(set("Host", bad))], vec![], &get("/", "X-A: b.example, c\r\n"))
            .err()
            .unwrap();
        assert_eq!(fault.cause.row().status, 500, "{bad}");
    }
}

#[test]
fn fields_are_deleted_by_line() {
    let fields = "X-A: 1\r\nX-B: 2\r\nx-a: 1\r\nX-C: X-A: 1\r\n";
    let x = rewritten(vec![edit(delete("^X-A:"))], vec![edit(delete("2$"))], &get("/", fields)).unwrap();
    let names: Vec<_> =
        x.request.fields().iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    assert_eq!(names, ["Host", "x-a", "X-C"]);
}

#[test]
fn answers_are_rewritten_by_the_service_first() {
    let set = |value: &str| {
        let value = template(value);
        Step::Edit(ResponseEdit::Field(FieldEdit::Set { name: "X-A".into(), value }))
    };
    let gone = Pattern::new("^Server:", Kind::Posix, true).unwrap();
    let stage = Setup::with(|setup| {
        let delete = Step::Edit(ResponseEdit::Field(FieldEdit::Delete(gone)));
        setup.listener.rewrites = Rewrites { request: vec![], response: vec![set("%[header X-A]l"), delete] };
        setup.service(Condition::ALWAYS, Target::Success).rewrites.response =
            vec![set("%[header X-A]s%[path]")];
    })
    .run();
    let answered = |service: Option<usize>| {
        let mut x = stage.exchange(&get("/p", ""));
        x.service = service;
        x.response = answer("HTTP/1.1 200 OK\r\nX-A: a\r\nServer: secret\r\n\r\n");
        super::response(&mut x).unwrap();
        assert_eq!(x.response.fields().find(b"Server"), None);
        String::from_utf8(x.response.fields().find(b"X-A").unwrap().to_vec()).unwrap()
    };
    assert_eq!(answered(Some(0)), "as/pl");
    assert_eq!(answered(None), "al", "an error before a service was found");
}

proptest! {
    #[test]
    fn whatever_is_expanded_the_target_is_valid(path in ".{0,40}", query in ".{0,40}", value in ".{0,40}") {
        // Literals stand for any text; the escaping sees bytes and knows no difference.
        let steps = vec![
            edit(RequestEdit::SetPath { path: Template::literal(path.clone()), encode: false }),
            edit(RequestEdit::SetQuery(Template::literal(query))),
            edit(RequestEdit::SetQueryParam { name: "p".into(), value: Some(Template::literal(value)), encode: false }),
        ];
        match rewritten(steps, vec![], &get("/", "")) {
            Ok(x) => {
                let target = x.request.target();
                prop_assert!(target.starts_with(b"/") && target.iter().all(u8::is_ascii_graphic));
                prop_assert!(target::classify(target, x.request.method_kind()).is_ok());
            }
            // Dot segments and %00 of the operator's own.
            Err(fault) => prop_assert!(matches!(
                fault.cause,
                Cause::BadRequest(ParseError::DotSegment | ParseError::PercentNul)
            )),
        }
    }
}
