//! `CheckURL 1`: which characters each part of a URL may have.
//!
//! A URL is taken apart as RFC 2396 (of Pound 1.x's time) does: a path of segments, each with parameters behind
//! semicolons, and a query of pairs. Each part is held against a table of its own, one bit for a byte. An escape counts as
//! its percent sign and its two digits: whoever leaves `%` out of a set forbids escapes there.

use std::fmt;

/// A set of ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CharSet([u64; 4]);

/// A part of a URL that has a set of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What stands between slashes, up to a semicolon.
    Segment,
    /// What stands behind a semicolon in the path.
    Parameter,
    /// The name of a pair in the query: up to its first `=`.
    QueryId,
    /// The value of a pair.
    QueryValue,
}

/// The sets of all parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alphabets {
    /// `CSsegment`
    pub segment: CharSet,
    /// `CSparameter`
    pub parameter: CharSet,
    /// `CSqid`
    pub query_id: CharSet,
    /// `CSqval`
    pub query_value: CharSet,
}

/// `alphanum | mark` of RFC 2396 section 2.3, and the sign of an escape.
const UNRESERVED: &str = "A-Za-z0-9_.!~*'()%-";
/// What `pchar` (section 3.3) has besides.
const PATH: &str = ":@&=+$,";
/// What `uric` (section 3.4) has besides.
const QUERY: &str = ";/?:@&=+$,";

impl Default for Alphabets {
    /// Those of RFC 2396.
    fn default() -> Alphabets {
        let path = CharSet::of(UNRESERVED).and(CharSet::of(PATH));
        let query = CharSet::of(UNRESERVED).and(CharSet::of(QUERY));
        Alphabets { segment: path, parameter: path, query_id: query, query_value: query }
    }
}

impl CharSet {
    const EMPTY: CharSet = CharSet([0; 4]);

    /// A set as it is written: characters one after the other, and ranges such as `a-z`. A dash at the beginning or the
    /// end stands for itself.
    ///
    /// # Errors
    /// Place and length of what is wrong, and a sentence.
    pub fn new(text: &str) -> Result<CharSet, (usize, usize, &'static str)> {
        let mut set = CharSet::EMPTY;
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(&first) = bytes.get(at) {
            if !first.is_ascii_graphic() {
                let len = text[at..].chars().next().map_or(1, char::len_utf8);
                return Err((at, len, "a URL has only visible ASCII characters"));
            }
            match bytes.get(at + 1..at + 3) {
                Some(&[b'-', last]) if last.is_ascii_graphic() => {
                    if last < first {
                        return Err((at, 3, "this range is empty: its end comes before its beginning"));
                    }
                    (first..=last).for_each(|byte| set.insert(byte));
                    at += 3;
                }
                _ => {
                    set.insert(first);
                    at += 1;
                }
            }
        }
        Ok(set)
    }

    /// Of a text of ours.
    fn of(text: &str) -> CharSet {
        CharSet::new(text).unwrap_or(CharSet::EMPTY)
    }

    fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn and(self, other: CharSet) -> CharSet {
        let mut both = self;
        both.0.iter_mut().zip(other.0).for_each(|(word, more)| *word |= more);
        both
    }

    /// Whether the byte is in it.
    #[must_use]
    pub fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }
}

impl fmt::Display for CharSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..=u8::MAX).filter(|byte| self.has(*byte)).try_for_each(|byte| write!(f, "{}", char::from(byte)))
    }
}

impl fmt::Debug for CharSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Part {
    /// The directive that has its set.
    #[must_use]
    pub fn directive(self) -> &'static str {
        match self {
            Part::Segment => "CSsegment",
            Part::Parameter => "CSparameter",
            Part::QueryId => "CSqid",
            Part::QueryValue => "CSqval",
        }
    }
}

impl Alphabets {
    /// Looks at a target in origin-form. `None` if each part has only characters of its set; else the first part that has
    /// others. Empty parts are as good as any.
    #[must_use]
    pub fn refuses<'a>(&self, target: &'a [u8]) -> Option<(Part, &'a [u8])> {
        let (path, query) = split(target, b'?');
        self.path(path).or_else(|| self.query(query?))
    }

    fn path<'a>(&self, path: &'a [u8]) -> Option<(Part, &'a [u8])> {
        path.split(|&byte| byte == b'/').find_map(|segment| {
            let mut pieces = segment.split(|&byte| byte == b';');
            let name = pieces.next().unwrap_or_default();
            wrong(&self.segment, Part::Segment, name)
                .or_else(|| pieces.find_map(|piece| wrong(&self.parameter, Part::Parameter, piece)))
        })
    }

    fn query<'a>(&self, query: &'a [u8]) -> Option<(Part, &'a [u8])> {
        query.split(|&byte| byte == b'&').find_map(|pair| {
            let (id, value) = split(pair, b'=');
            wrong(&self.query_id, Part::QueryId, id)
                .or_else(|| wrong(&self.query_value, Part::QueryValue, value.unwrap_or_default()))
        })
    }
}

fn wrong<'a>(set: &CharSet, part: Part, text: &'a [u8]) -> Option<(Part, &'a [u8])> {
    (!text.iter().all(|&byte| set.has(byte))).then_some((part, text))
}

/// What stands before and behind the first `by`.
fn split(text: &[u8], by: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&byte| byte == by) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sets: &Alphabets, target: &str, expect: Option<(Part, &str)>) {
        let found =
            sets.refuses(target.as_bytes()).map(|(part, text)| (part, std::str::from_utf8(text).unwrap()));
        assert_eq!(found, expect, "{target}");
    }

    #[test]
    fn the_sets_of_rfc_2396_are_the_default() {
        let sets = Alphabets::default();
        for good in [
            "/",
            "//",
            "/a/b.html",
            "/~user/(x)/it's_fine!*",
            "/a;p=1;q=2/b;r",
            "/a%20b",
            "/a:b@c&d=e+f$g,h",
            "/?q",
            "/x?a=b&c=d",
            "/x?a=/b/;c?d:@&=+$,",
            "/x?http://other.example/?y",
        ] {
            check(&sets, good, None);
        }
        for (bad, part, text) in [
            ("/a|b", Part::Segment, "a|b"),
            ("/good/b{d/x", Part::Segment, "b{d"),
            ("/[a]", Part::Segment, "[a]"),
            ("/a\"b", Part::Segment, "a\"b"),
            ("/a\\b", Part::Segment, "a\\b"),
            ("/a^b", Part::Segment, "a^b"),
            ("/a`b", Part::Segment, "a`b"),
            ("/<a>", Part::Segment, "<a>"),
            ("/a;p|q", Part::Parameter, "p|q"),
            ("/a;p;q^/b", Part::Parameter, "q^"),
            ("/x?a|=b", Part::QueryId, "a|"),
            ("/x?a=b&c[]=d", Part::QueryId, "c[]"),
            ("/x?a=b&c={d}", Part::QueryValue, "{d}"),
            ("/x?a=b=c|d", Part::QueryValue, "b=c|d"),
        ] {
            check(&sets, bad, Some((part, text)));
        }
        assert!(sets.refuses(b"/\xc3\xa9").is_some());
    }

    #[test]
    fn empty_parts_are_allowed() {
        let none = CharSet::EMPTY;
        let sets = Alphabets { segment: none, parameter: none, query_id: none, query_value: none };
        for empty in ["/", "//", "/;", "/;;/", "/?", "/?&", "/?=", "/?=&=&"] {
            check(&sets, empty, None);
        }
    }

    #[test]
    fn each_part_has_its_own_set() {
        let set = |text| CharSet::new(text).unwrap();
        let sets =
            Alphabets { segment: set("a"), parameter: set("b"), query_id: set("c"), query_value: set("d") };
        check(&sets, "/a/aa;b;bb/a?c=d&cc=dd", None);
        for (bad, part, text) in [
            ("/b", Part::Segment, "b"),
            ("/a;a", Part::Parameter, "a"),
            ("/a;b?d", Part::QueryId, "d"),
            ("/a;b?c=c", Part::QueryValue, "c"),
            // No percent sign, no escapes.
            ("/%61", Part::Segment, "%61"),
        ] {
            check(&sets, bad, Some((part, text)));
        }
    }

    #[test]
    fn sets_are_lists_and_ranges() {
        let check =
            |text: &str, expect: &str| assert_eq!(CharSet::new(text).unwrap().to_string(), expect, "{text}");
        check("", "");
        check("cab", "abc");
        check("a-e", "abcde");
        check("a-cx-z0-2", "012abcxyz");
        check("-a", "-a");
        check("a-", "-a");
        check("a-c-e", "-abce");
        check("!--", "!\"#$%&'()*+,-");
        check("^]", "]^");
        for (bad, at, len) in [("z-a", 0, 3), ("a b", 1, 1), ("a\t", 1, 1), ("aé", 1, 2), ("a-é", 2, 2)] {
            let (found, found_len, _) = CharSet::new(bad).unwrap_err();
            assert_eq!((found, found_len), (at, len), "{bad}");
        }
    }
}
