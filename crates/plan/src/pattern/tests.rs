use super::*;
use crate::watched::Watched;

fn matches(text: &str, kind: Kind, ignore_case: bool, subject: &str) -> Option<Vec<Option<Range<usize>>>> {
    let pattern =
        Pattern::new(text, kind, ignore_case).unwrap_or_else(|error| panic!("{text}: {}", error.message));
    let mut groups = Groups::default();
    let found = pattern.find(subject.as_bytes(), &mut groups).unwrap();
    assert_eq!(found, pattern.is_match(subject.as_bytes()).unwrap(), "{text} on {subject}");
    found.then_some(groups.0)
}

/// No match ends before it begins.
#[expect(clippy::reversed_empty_ranges)]
const NONE: Range<usize> = 1..0;

/// The place of the whole match, or nothing.
fn check(text: &str, kind: Kind, subject: &str, expect: Option<Range<usize>>) {
    let found = matches(text, kind, false, subject).map(|groups| groups[0].clone().unwrap());
    assert_eq!(found.unwrap_or(NONE), expect.unwrap_or(NONE), "{kind} {text:?} on {subject:?}");
}

fn ere(text: &str, subject: &str, expect: Option<Range<usize>>) {
    check(text, Kind::Posix, subject, expect);
}

fn refuse(text: &str, kind: Kind, at: usize, len: usize) {
    let error = Pattern::new(text, kind, false).expect_err(text);
    assert_eq!((error.at, error.len), (at, len), "{text}: {}", error.message);
}

#[test]
fn texts_are_compared_where_they_must_stand() {
    check("/a", Kind::Exact, "/a", Some(0..2));
    check("/a", Kind::Exact, "/ab", None);
    check("/a", Kind::Prefix, "/ab", Some(0..2));
    check("/a", Kind::Prefix, "x/a", None);
    check("/a", Kind::Suffix, "x/a", Some(1..3));
    check("/a", Kind::Suffix, "/", None);
    check("b.c", Kind::Contains, "ab.cd", Some(1..4));
    check("b.c", Kind::Contains, "abxcd", None);
    for kind in [Kind::Exact, Kind::Prefix, Kind::Suffix, Kind::Contains, Kind::Posix, Kind::Perl] {
        assert!(matches("ab", kind, true, "AB").is_some(), "{kind}");
        assert!(matches("ab", kind, false, "AB").is_none(), "{kind}");
    }
    assert!(matches("b.c", Kind::Contains, true, "aB.Cd").is_some());
    assert!(matches("b.c", Kind::Contains, true, "abxcd").is_none());
}

#[test]
fn posix_expressions_mean_what_they_mean_to_glibc() {
    ere("", "x", Some(0..0));
    ere("/a\\.b", "/a.b", Some(0..4));
    ere("/a\\.b", "/axb", None);
    ere("/a.b", "/a\nb", Some(0..4));
    ere("^/x", "/x/y", Some(0..2));
    ere("^/x$", "/x/y", None);
    ere("x$", "axax", Some(3..4));
    ere("^$", "", Some(0..0));
    ere("a)", "a)", Some(0..2));
    ere("()", "", Some(0..0));
    ere("a||b", "x", Some(0..0));
    ere("(|a)b", "ab", Some(0..2));
    ere("a**", "aa", Some(0..2));
    ere("a*?", "aa", Some(0..2));
    ere("a+?b", "b", Some(0..1));
    ere("\\d", "d", Some(0..1));
    ere("\\n", "n", Some(0..1));
    ere("a{,3}", "aaaaa", Some(0..3));
    ere("a{2}", "aaa", Some(0..2));
    ere("a{2,}", "aaa", Some(0..3));
    ere("a{1}{2}", "aaa", Some(0..2));
    ere("/{id}", "/{id}", Some(0..5));
    ere("{", "{", Some(0..1));
    ere("a{x", "a{x", Some(0..3));
    ere("x^a", "x^a", None);
    ere("a$b", "a$b", None);
    ere("(a)\\1", "aa", Some(0..2));
    ere("(a)(b)\\2\\11", "abba1", Some(0..5));
    ere("\\<ab\\>", "x ab y", Some(2..4));
    ere("\\<ab\\>", "xab", None);
    ere("\\bab", "x ab", Some(2..4));
    ere("\\w+", "+a_1+", Some(1..4));
    ere("\\s\\S", "a b", Some(1..3));
    ere("\\`a\\'", "a", Some(0..1));
    ere("a b#c", "a b#c", Some(0..5));
    ere("a&&b~~c--d", "a&&b~~c--d", Some(0..10));
    ere("é+", "caféé", Some(3..7));
    ere("Host:*.barwap.com.*", "Host: x.barwap.com", None);
    ere("Host:*.barwap.com.*", "Host:.barwap.com:80", Some(0..19));
}

/// Every expression of up to four characters, dots and `.*`, with and without anchors, on every subject of up to four
/// letters: the direct comparison finds what the automaton finds.
#[test]
fn expressions_without_operators_need_no_automaton_to_be_right() {
    let tokens = ["a", "b", ".", ".*"];
    let mut middles = vec![String::new()];
    let mut subjects = vec![String::new()];
    for _ in 0..4 {
        let longer = |texts: &[String], pieces: &[&str]| -> Vec<String> {
            texts.iter().flat_map(|text| pieces.iter().map(move |piece| format!("{text}{piece}"))).collect()
        };
        middles.extend(longer(&middles, &tokens));
        subjects.extend(longer(&subjects, &["a", "b", "A"]));
        middles.sort();
        middles.dedup();
        subjects.sort();
        subjects.dedup();
    }
    for middle in &middles {
        for text in [middle.clone(), format!("^{middle}"), format!("{middle}$"), format!("^{middle}$")] {
            for ignore_case in [false, true] {
                let ere = ere::translate(&text).unwrap();
                let direct = ere.without_regex(ignore_case).unwrap();
                let automaton = linear::builder(ignore_case).build(&ere.regex).unwrap();
                for subject in &subjects {
                    let found = match &direct {
                        Matcher::Text(text) => text.find(subject.as_bytes()),
                        Matcher::Wild(wild) => wild.find(subject.as_bytes()),
                        _ => panic!("{text} has become an automaton"),
                    };
                    let expect = automaton.find(subject.as_bytes()).map(|found| found.range());
                    assert_eq!(found, expect, "{text:?} on {subject:?}, ignore_case: {ignore_case}");
                }
            }
        }
    }
}

/// All expressions of up to three of `pieces`, with and without anchors.
fn expressions(pieces: &[&str]) -> Vec<String> {
    let mut middles = vec![String::new()];
    for _ in 0..3 {
        let longer = middles.iter().flat_map(|text| pieces.iter().map(move |piece| format!("{text}{piece}")));
        middles = [String::new()].into_iter().chain(longer).collect();
        middles.sort();
        middles.dedup();
    }
    let anchored =
        |middle: &String| [middle.clone(), format!("^{middle}"), format!("{middle}$"), format!("^{middle}$")];
    middles.iter().flat_map(anchored).collect()
}

/// All texts of up to four letters.
fn subjects(letters: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..4 {
        last = last
            .iter()
            .flat_map(|text| letters.iter().map(|letter| [text, &[*letter][..]].concat()))
            .collect();
        all.extend_from_slice(&last);
    }
    all
}

#[test]
fn a_straight_walk_finds_what_the_automaton_finds() {
    let pieces = ["a", "[ab]", "a+", "([ab]*)", "b{1,2}", "(bA)", "B{2}", "(a(b?))", "[^a]+"];
    let subjects = subjects(b"abB");
    let mut straight = 0;
    for text in expressions(&pieces) {
        for ignore_case in [false, true] {
            let Matcher::Steps(steps) = linear::read(&text, ignore_case).unwrap() else { continue };
            straight += 1;
            let automaton = linear::builder(ignore_case).build(&text).unwrap();
            let mut captures = automaton.create_captures();
            for subject in &subjects {
                automaton.captures(subject, &mut captures);
                let expect = captures.is_match().then(|| {
                    captures.iter().map(|group| group.map(|group| group.range())).collect::<Vec<_>>()
                });
                let mut groups = Groups::default();
                let found = steps.find(subject, &mut groups).then_some(groups.0);
                assert_eq!(found, expect, "{text} on {subject:?}, ignore_case: {ignore_case}");
                assert_eq!(steps.is_match(subject), expect.is_some());
            }
        }
    }
    assert!(straight > 1000, "{straight}");
}

#[test]
fn expressions_with_a_choice_need_an_automaton() {
    let straight = |text: &str| matches!(linear::read(text, false).unwrap(), Matcher::Steps(_));
    for text in ["^/r1/[a-z]+$", "^", "^[a-z]+/", "^a{3}a", "^([0-9]{2,})-x", "^(a$)", "^[a-c]*[d-f]*$"] {
        assert!(straight(text), "{text}");
    }
    for text in ["a", "^a|b", "^a+ab", "^a*b*a", "^(a)*", "^(?:ab)+", "^a*?b", "a^b", "^a$b", "^a?[ab]"] {
        assert!(!straight(text), "{text}");
    }
}

/// Whether each of the needs is met by a subject.
fn met(needs: &[Vec<Need>], subject: &[u8]) -> bool {
    let subject = subject.to_ascii_lowercase();
    let there = |need: &Need| match need.place {
        Place::Whole => subject == *need.text,
        Place::Start => subject.starts_with(&need.text),
        Place::End => subject.ends_with(&need.text),
        Place::Anywhere => memchr::memmem::find(&subject, &need.text).is_some(),
    };
    needs.iter().all(|any| any.iter().any(there))
}

#[test]
fn what_matches_has_all_that_was_needed() {
    let pieces = ["a", ".*", "(a|bb)", "[aB]", "(ab)+", "\\b", "(a|b$|)", "(^a|b)?"];
    let subjects = subjects(b"abB");
    let (mut told, mut matched) = (0, 0);
    for text in expressions(&pieces) {
        for ignore_case in [false, true] {
            let pattern = Pattern::new(&text, Kind::Posix, ignore_case).unwrap();
            let needs = pattern.needs();
            told += needs.len();
            if needs.is_empty() {
                continue;
            }
            for subject in &subjects {
                if pattern.is_match(subject).unwrap() {
                    matched += 1;
                    assert!(met(&needs, subject), "{text} on {subject:?}: {needs:?}");
                }
            }
        }
    }
    assert!(told > 2000 && matched > 20_000, "{told} needs, {matched} matches");
}

#[test]
fn needs_are_as_sharp_as_they_can_be_told() {
    let check = |text: &str, kind, expect: &[&[(Place, &str)]]| {
        let needs = Pattern::new(text, kind, false).unwrap().needs();
        let expect: Vec<Vec<Need>> = expect
            .iter()
            .map(|any| any.iter().map(|(place, text)| Need::new(*place, text.as_bytes())).collect())
            .collect();
        assert_eq!(needs, expect, "{kind} {text:?}");
    };
    use Place::{Anywhere, End, Start, Whole};
    check("/A", Kind::Exact, &[&[(Whole, "/a")]]);
    check("/a", Kind::Prefix, &[&[(Start, "/a")]]);
    check(".org", Kind::Suffix, &[&[(End, ".org")]]);
    check("", Kind::Suffix, &[]);
    check("www.a.org", Kind::Posix, &[&[(Anywhere, "www")], &[(Anywhere, "org")]]);
    check(
        "^/a.*/b$",
        Kind::Posix,
        &[&[(Start, "/a")], &[(End, "/b")], &[(Anywhere, "/a")], &[(Anywhere, "/b")]],
    );
    check("^/r1/[a-z]+$", Kind::Posix, &[&[(Start, "/r1/")], &[(Anywhere, "/r1/")]]);
    check("^/(a|b)(/|$)", Kind::Posix, &[&[(Start, "/a"), (Start, "/a/"), (Start, "/b"), (Start, "/b/")]]);
    check(
        "^(www[.])?a[.](com|org)$",
        Kind::Posix,
        &[
            &[(Whole, "a.com"), (Whole, "a.org"), (Whole, "www.a.com"), (Whole, "www.a.org")],
            &[(Anywhere, "a.")],
        ],
    );
    check("[.](css|js)$", Kind::Perl, &[&[(End, ".css"), (End, ".js")]]);
    check("^[a-z]+", Kind::Posix, &[]);
    check("^[a-z]?x", Kind::Posix, &[]);
    // A third choice would make it 64, which the sixteen that end before it stand for.
    let second = ["ee", "ff", "gg", "hh"];
    let sixteen: Vec<String> =
        ["aa", "bb", "cc", "dd"].iter().flat_map(|one| second.map(|two| format!("{one}{two}"))).collect();
    let sixteen: Vec<(Place, &str)> = sixteen.iter().map(|text| (Start, text.as_str())).collect();
    check("^(aa|bb|cc|dd)(ee|ff|gg|hh)(ii|jj|kk|ll)", Kind::Posix, &[&sixteen]);
    check("(?=a)b", Kind::Perl, &[]);
    assert!(
        Pattern::watched(Arc::new(List::new(Vec::new(), None, Subject::Other, Kind::Exact, false)))
            .needs()
            .is_empty()
    );
}

#[test]
fn only_patterns_that_go_back_can_give_up() {
    let list = |kind| {
        Pattern::watched(Arc::new(List::new(Vec::new(), Some("x".into()), Subject::Other, kind, false)))
    };
    let pattern = |text: &str| Pattern::new(text, Kind::Perl, false).unwrap();
    for never in [pattern("a+"), list(Kind::Exact), Pattern::list(vec![pattern("a"), pattern("b|c")])] {
        assert!(!never.may_give_up(), "{never}");
    }
    for may in [pattern("(a)\\1"), list(Kind::Posix), Pattern::list(vec![pattern("a"), pattern("(?=b)")])] {
        assert!(may.may_give_up(), "{may}");
    }
}

#[test]
fn bracket_expressions_mean_what_they_mean_to_posix() {
    let set = |text: &str, members: &str, others: &str| {
        for member in members.chars() {
            ere(text, &member.to_string(), Some(0..member.len_utf8()));
        }
        for other in others.chars() {
            ere(text, &other.to_string(), None);
        }
    };
    set("[abc]", "abc", "d[]");
    set("[^abc]", "d[]\n", "abc");
    set("[]abc]", "]abc", "[d");
    set("[^]abc]", "[d", "]abc");
    set("[a-c]", "abc", "d-");
    set("[a-]", "a-", "b");
    set("[-a]", "a-", "b");
    set("[]-a]", "]^_`a", "b\\");
    set("[a^]", "a^", "b");
    set("[[:digit:]x]", "059x", "a:");
    set("[^[:space:]]", "a:", " \t\n");
    set("[[:alpha:][:digit:]]", "aZ5", "_");
    set("[[.-.]a]", "-a", "b.");
    set("[[=a=]]", "a", "b=");
    set("[&&~~]", "&~", "a");
    set("[äb]", "äb", "ö");
    set("[ä]", "ä", "ab");
    // A backslash has no meaning in there.
    ere("[\\]]", "\\]", Some(0..2));
    ere("[\\.]", "\\", Some(0..1));
    ere("([^/.]+\\.css)$", "/x/main.css", Some(3..11));
}

#[test]
fn faults_of_posix_expressions_are_placed() {
    let refuse = |text: &str, at, len| refuse(text, Kind::Posix, at, len);
    refuse("*.example.com", 0, 1);
    refuse("a|*b", 2, 1);
    refuse("(+a)", 1, 1);
    refuse("^*", 1, 1);
    refuse("{1}", 0, 3);
    refuse("/(a", 1, 1);
    refuse("x[a-z", 1, 4);
    refuse("x[]", 1, 2);
    refuse("[b-a]", 1, 3);
    refuse("[a-c-e]", 1, 4);
    refuse("[[:foo:]]", 1, 5);
    refuse("[[:alpha]]", 1, 7);
    refuse("[[.hyphen.]]", 1, 2);
    refuse("[^ä]", 0, 5);
    refuse("[ä-ö]", 1, 5);
    refuse("ab\\", 2, 1);
    refuse("a{2,1}", 1, 5);
    refuse("a{1", 1, 2);
    refuse("a{1,2,3}", 1, 7);
    refuse("a{99999}", 1, 7);
    refuse("\\1(a)", 0, 2);
    refuse("(a\\1)", 2, 2);
    refuse("a*********", 9, 1);
    refuse("((a{2000}){2000}){2000}", 0, 23);
    refuse(&"(".repeat(200), NESTING_MAX as usize, 1);
    let long = "a".repeat(PATTERN_BYTES_MAX + 1);
    refuse(&long, PATTERN_BYTES_MAX, 1);
}

#[test]
fn perl_expressions_use_the_engine_that_they_need() {
    let perl = |text: &str, subject: &str, expect| check(text, Kind::Perl, subject, expect);
    perl("\\d+", "a12", Some(1..3));
    perl("(?i)ABC", "abc", Some(0..3));
    perl("a.*?c", "abcc", Some(0..3));
    perl("[[]", "[", Some(0..1));
    perl("[a&&b]", "&", Some(0..1));
    perl("[]a]", "]", Some(0..1));
    perl("\\<a\\>", "<a>", Some(0..3));
    perl("[[:alpha:]]", "a", Some(0..1));
    perl("(?<!x)a", "xaa", Some(2..3));
    perl("a(?=b)", "acab", Some(2..3));
    perl("(a)\\1", "aa", Some(0..2));
    let look_behind = Pattern::new("(?<=/)x", Kind::Perl, false).unwrap();
    assert!(look_behind.is_match(b"\xff/x").unwrap(), "bytes that are no UTF-8 are searched too");
    assert_eq!(
        matches("(?<=(/))(x)(y)?", Kind::Perl, false, "/x"),
        Some(vec![Some(1..2), Some(0..1), Some(1..2), None])
    );
}

#[test]
fn faults_of_perl_expressions_are_placed() {
    refuse("a(b", Kind::Perl, 1, 1);
    refuse("[&&&z-a]", Kind::Perl, 4, 3);
    refuse("(?<!x)(\u{fffd}", Kind::Perl, 7, 3);
    refuse("(?<!x)é(?<y", Kind::Perl, 9, 1);
    refuse("x**+*?[", Kind::Perl, 6, 1);
    refuse("(a{2000}){2000}", Kind::Perl, 0, 15);
    refuse("a\\g0b\\g0|", Kind::Perl, 0, 9);
}

#[test]
fn a_runaway_backtracking_pattern_gives_up() {
    let pattern = Pattern::new("^(?=(a|aa)+$)(a|aa)+\\1b$", Kind::Perl, false).unwrap();
    assert_eq!(pattern.is_match("a".repeat(200).as_bytes()), Err(MatchError::GaveUp));
}

#[test]
fn groups_are_told_and_left_alone_otherwise() {
    assert_eq!(matches("^/(a)?(b)", Kind::Posix, false, "/b"), Some(vec![Some(0..2), None, Some(1..2)]));
    let pattern = Pattern::new("(x)", Kind::Posix, false).unwrap();
    let mut groups = Groups(vec![Some(7..9)]);
    assert_eq!(pattern.find(b"y", &mut groups), Ok(false));
    assert_eq!(groups.0, [Some(7..9)]);
    assert_eq!(pattern.groups(), Some(2));
}

#[test]
fn lists_match_what_one_of_them_matches() {
    let texts = [("/a", Kind::Exact, false), ("/B", Kind::Exact, true), ("^/c/(.*)", Kind::Posix, false)];
    let patterns = texts.map(|(text, kind, case)| Pattern::new(text, kind, case).unwrap()).to_vec();
    let list = Pattern::list(patterns);
    for (subject, expect) in
        [("/a", true), ("/A", false), ("/b", true), ("/B", true), ("/c/d", true), ("/d", false)]
    {
        assert_eq!(list.is_match(subject.as_bytes()), Ok(expect), "{subject}");
    }
    let mut groups = Groups::default();
    assert_eq!(list.find(b"/c/d", &mut groups), Ok(true));
    assert_eq!(groups.0, [Some(0..4), Some(3..4)]);
    assert_eq!(list.find(b"/a", &mut groups), Ok(true));
    assert_eq!(groups.0, [Some(0..2)]);
}

#[test]
fn a_watched_list_follows_its_file() {
    let list = Arc::new(List::new(Vec::new(), Some("bots".into()), Subject::Other, Kind::Contains, true));
    let pattern = Pattern::watched(list.clone());
    assert_eq!(pattern.is_match(b"EvilBot"), Ok(false));
    list.replace("# crawlers\nevilbot\n\nother # and so on\n").unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(pattern.is_match(b"an EvilBot/1.0"), Ok(true));
    list.replace("# nobody\n").unwrap();
    assert!(list.is_empty());
    let regexes = List::new(Vec::new(), Some("x".into()), Subject::Other, Kind::Posix, false);
    let errors = regexes.replace("fine\n(\n").unwrap_err();
    assert_eq!((errors.len(), errors[0].0), (1, 2));
}
