use plan::pattern::{Kind, List, Subject};
use plan::{Condition, Match, Pattern, Target};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::route::{find, first};
use crate::testing::{Setup, Stage, acl, get, head, template};

fn matching(text: &str, kind: Kind, ignore_case: bool) -> Match {
    Match { pattern: Pattern::new(text, kind, ignore_case).unwrap(), tag: None }
}

fn host(text: &str, kind: Kind) -> Condition {
    Condition::Host(matching(text, kind, true))
}

fn path(text: &str, kind: Kind) -> Condition {
    Condition::Path { matches: matching(text, kind, false), decode: false }
}

/// A pattern that gives up on many `a`.
const RUNAWAY: &str = "^/(?=(a|aa)+$)(a|aa)+\\1b$";

fn stage(conditions: impl IntoIterator<Item = Condition>) -> Stage {
    let add = |setup: &mut Setup| {
        for condition in conditions {
            setup.service(condition, Target::Success);
        }
    };
    Setup::with(add).run()
}

fn index(stage: &Stage) -> Index {
    Index::of(&stage.running.plan.listeners[0].services)
}

/// The services that are looked at for this request.
fn candidates(stage: &Stage, request: &str) -> Vec<usize> {
    let index = index(stage);
    let mut found = Found::default();
    index.look(&head(request), &mut found);
    assert!(!found.is_overflown());
    found.collect()
}

fn to(host: &str, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[test]
fn of_many_services_only_those_meant_are_looked_at() {
    let count = 300;
    let check = |condition: &dyn Fn(usize) -> Condition, request: &str, expect: &[usize]| {
        let stage = stage((0..count).map(condition));
        assert_eq!(candidates(&stage, request), expect, "{:?} {request:?}", condition(0));
    };
    let hosts = |n| host(&format!("h{n}.bench.test"), Kind::Exact);
    check(&hosts, &to("H77.bench.test", "/"), &[77]);
    check(&hosts, &to("h77.bench.test.:8080", "/"), &[77]);
    check(&hosts, &to("h77.bench.test.uk", "/"), &[]);
    check(&hosts, "GET / HTTP/1.0\r\n\r\n", &[]);
    check(&|n| host(&format!(".h{n}.test"), Kind::Suffix), &to("a.b.h77.test:80", "/"), &[77]);
    check(&|n| host(&format!("^(.+[.])?h{n}[.]test$"), Kind::Posix), &to("a.h77.test", "/"), &[77]);
    check(&|n| host(&format!("^(www[.])?h{n}[.](com|org)$"), Kind::Posix), &to("h77.org", "/"), &[77]);
    check(&|n| path(&format!("/p{n}/"), Kind::Prefix), &get("/p77/x", ""), &[77]);
    check(&|n| path(&format!("^/r{n}/[a-z]+$"), Kind::Posix), &get("/r77/page", ""), &[77]);
    check(&|n| path(&format!("^/(a|b)/r{n}([.]html)?$"), Kind::Perl), &get("/b/r77.html", ""), &[77]);
    check(&|n| path(&format!("/k{n}/"), Kind::Contains), &get("/x/k77/k5/", ""), &[5, 77]);
    check(
        &|n| Condition::Url(matching(&format!("&id={n}$"), Kind::Posix, false)),
        &get("/?x&id=77", ""),
        &[77],
    );
    let old = |n| Condition::HeaderLine(matching(&format!("Host:.*www.s{n}x.org.*"), Kind::Posix, true));
    check(&old, &to("www.s77x.org", "/"), &[77]);
    let decoded =
        |n| Condition::Path { matches: matching(&format!("/p{n}/"), Kind::Prefix, false), decode: true };
    check(&decoded, &get("/%70%37%37/", ""), &[77]);
    // The part that tells services apart is taken, wherever it stands.
    let one_host = |n| Condition::All(vec![host("a.org", Kind::Exact), path(&format!("/p{n}"), Kind::Exact)]);
    check(&one_host, &to("a.org", "/p77"), &[77]);
    let either = |n| Condition::Any(vec![hosts(n), path(&format!("/p{n}/"), Kind::Prefix)]);
    check(&either, &to("h88.bench.test", "/p77/"), &[77, 88]);
}

#[test]
fn what_nothing_is_known_about_is_always_looked_at() {
    let list = || {
        Pattern::watched(Arc::new(List::new(
            Vec::new(),
            Some("x".into()),
            Subject::Other,
            Kind::Exact,
            false,
        )))
    };
    let stage = stage([
        Condition::ALWAYS,
        Condition::Not(Box::new(host("a.org", Kind::Exact))),
        Condition::Method(matching("GET", Kind::Exact, true)),
        Condition::Host(Match { pattern: list(), tag: None }),
        host("^[a-z]+$", Kind::Posix),
        Condition::Any(vec![host("a.org", Kind::Exact), Condition::ALWAYS]),
        Condition::Any(vec![]),
        host("b.org", Kind::Exact),
    ]);
    assert_eq!(candidates(&stage, &to("c.org", "/")), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_fault_that_comes_first_is_still_met() {
    let runaway = || path(RUNAWAY, Kind::Perl);
    let elsewhere = || host("elsewhere.org", Kind::Exact);
    let stage = stage([
        Condition::All(vec![elsewhere(), runaway()]),
        Condition::All(vec![runaway(), elsewhere()]),
        Condition::All(vec![Condition::All(vec![elsewhere(), runaway()]), Condition::ALWAYS]),
        Condition::ALWAYS,
    ]);
    let request = get(&format!("/{}", "a".repeat(60)), "");
    assert_eq!(candidates(&stage, &request), [1, 3]);
    let mut x = stage.exchange(&request);
    let fault = first(&mut x, candidates(&stage, &request).into_iter()).unwrap_err();
    assert_eq!(fault.cause.row().code, "E-EVALUATION");
}

#[test]
fn few_services_and_services_of_which_nothing_is_known_have_no_index() {
    let of = |count: usize, condition: &dyn Fn() -> Condition| {
        stage((0..count).map(|_| condition())).running.routes[0].is_some()
    };
    let known = || host("a.org", Kind::Exact);
    assert!(!of(SERVICES_MIN - 1, &known) && of(SERVICES_MIN, &known));
    assert!(!of(SERVICES_MIN, &|| Condition::ALWAYS));
}

/// A condition that can be printed and made again.
#[derive(Debug, Clone)]
enum Spec {
    All(Vec<Spec>),
    Any(Vec<Spec>),
    Not(Box<Spec>),
    Leaf { part: usize, text: (&'static str, Kind), ignore_case: bool, decode: bool },
    Runaway,
}

const TEXTS: [&str; 22] = [
    "",
    "a",
    "/a",
    "/a/",
    "/A/b",
    "/a/b",
    "/ab",
    "/",
    "/%61",
    "a.org",
    "www.a.org",
    "A.ORG",
    "b.a.org",
    ".org",
    "www.",
    "a.org:80",
    ":80",
    "x=1",
    "org",
    "GET",
    "Host: a.org",
    "*",
];
const EXPRESSIONS: [&str; 22] = [
    "^/a",
    "^/(a|b)",
    "^/a/[a-z]+$",
    "^/([a-z]*)$",
    "(b)$",
    "^(www[.])?a[.]org$",
    "a.org",
    ".*a.org.*",
    "^[a-z.]+$",
    "[.](org|com)(:[0-9]+)?$",
    "^a",
    "/(a)/(b)?",
    "^/(.*)/b",
    "x=(1)",
    "^$",
    "(^|[?&])x=1",
    "^/%61$",
    "^Host:.*a.org",
    "^host: www",
    "^GET$",
    "^/.*b$",
    "(a)(/|$)",
];
const TARGETS: [&str; 14] = [
    "/",
    "/a",
    "/A",
    "/a/",
    "/a/b",
    "/ab",
    "/A/B",
    "/%61",
    "/%61/b",
    "/a%2Fb?x=1",
    "/?x=1",
    "http://a.org/a/b",
    "*",
    "/b/a/x/b?x=1&x=2",
];
const HOSTS: [&str; 13] = [
    "a.org",
    "A.Org",
    "a.org.",
    "a.org:80",
    "a.org.:80",
    "www.a.org",
    "WWW.a.org:080",
    "b.a.org",
    "c.com",
    "[::1]:80",
    "a..org",
    "a.org:",
    "x@a.org",
];

fn spec() -> impl Strategy<Value = Spec> {
    let plain = (
        prop::sample::select(&TEXTS[..]),
        prop::sample::select(&[Kind::Exact, Kind::Prefix, Kind::Suffix, Kind::Contains][..]),
    );
    let expression =
        (prop::sample::select(&EXPRESSIONS[..]), prop::sample::select(&[Kind::Posix, Kind::Perl][..]));
    let text = prop_oneof![2 => plain, 3 => expression, 1 => Just(("(?!/b)a", Kind::Perl))];
    // Hosts and paths more often than the rest.
    let part = prop_oneof![3 => Just(0_usize), 3 => Just(1), 5 => 2..9_usize];
    let leaf = (part, text, any::<bool>(), any::<bool>())
        .prop_map(|(part, text, ignore_case, decode)| Spec::Leaf { part, text, ignore_case, decode });
    prop_oneof![60 => leaf, 1 => Just(Spec::Runaway)].prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            3 => vec(inner.clone(), 0..4).prop_map(Spec::All),
            2 => vec(inner.clone(), 0..4).prop_map(Spec::Any),
            1 => inner.prop_map(|spec| Spec::Not(Box::new(spec))),
        ]
    })
}

fn make(spec: &Spec) -> Condition {
    match spec {
        Spec::All(parts) => Condition::All(parts.iter().map(make).collect()),
        Spec::Any(parts) => Condition::Any(parts.iter().map(make).collect()),
        Spec::Not(part) => Condition::Not(Box::new(make(part))),
        Spec::Runaway => path(RUNAWAY, Kind::Perl),
        Spec::Leaf { part, text: (text, kind), ignore_case, decode } => {
            let matches = matching(text, *kind, *ignore_case);
            match part {
                0 => Condition::Host(matches),
                1 => Condition::Path { matches, decode: *decode },
                2 => Condition::Url(matches),
                3 => Condition::HeaderLine(matches),
                4 => Condition::HeaderField { name: "Host".into(), matches },
                5 => Condition::QueryParam { name: "x".into(), matches, decode: *decode },
                6 => Condition::StringMatch { subject: template("$1$0"), matches },
                7 => Condition::Acl { acl: acl(&["198.51.100.1"]), forwarded: true },
                _ => Condition::Path {
                    matches: Match { pattern: Pattern::list(vec![matches.pattern]), tag: Some("t".into()) },
                    decode: *decode,
                },
            }
        }
    }
}

fn request() -> impl Strategy<Value = String> {
    let target = prop_oneof![30 => prop::sample::select(&TARGETS[..]).prop_map(String::from), 1 => Just(format!("/{}", "a".repeat(40)))];
    let host = prop_oneof![9 => prop::sample::select(&HOSTS[..]).prop_map(Some), 1 => Just(None)];
    (target, host, any::<bool>()).prop_map(|(target, host, forwarded)| {
        let host = host.map(|host| format!("Host: {host}\r\n")).unwrap_or_default();
        let forwarded =
            if forwarded { "X-Real: 198.51.100.1\r\nX-Forwarded-For: 198.51.100.1\r\n" } else { "" };
        format!("GET {target} HTTP/1.0\r\n{host}{forwarded}\r\n")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// The same service, the same groups, the same origin and the same fault, whatever the conditions are.
    #[test]
    fn the_index_finds_what_a_walk_through_all_finds(
        specs in vec((spec(), 0..10_u8), 0..24),
        requests in vec(request(), 8),
    ) {
        let stage = Setup::with(|setup| {
            for (spec, kind) in &specs {
                let service = setup.service(make(spec), Target::Success);
                service.disabled = *kind == 0;
                service.trusted = (*kind == 1).then(|| acl(&["203.0.113.7"]));
                service.forwarded_header = (*kind == 2).then(|| "X-Real".into());
            }
        })
        .run();
        for request in &requests {
            let route = |way: &dyn Fn(&mut Exchange) -> Result<usize, Fault>| {
                let mut x = stage.exchange(request);
                let found = way(&mut x).map_err(|fault| format!("{fault:?}"));
                (found, x.service, x.captures, x.origin)
            };
            let expect = route(&|x| first(x, 0..specs.len()));
            let indexed = candidates(&stage, request);
            prop_assert_eq!(route(&|x| first(x, indexed.iter().copied())), expect.clone(), "{}", request);
            prop_assert_eq!(route(&|x| find(x)), expect, "{}", request);
        }
    }
}
