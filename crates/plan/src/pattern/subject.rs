//! What the parts of a request can look like, and so which patterns are never found in them.
//!
//! A pattern that nothing matches is a slip: `Host "http://www.example.org/"`, `Path "^app/"`. In a service it makes a page
//! go missing, in a list of what is denied it lets everything pass. Only what is certain is said; most of what a regular
//! expression may be is not looked at.

use super::Kind;

/// The part of a request that a pattern is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// `Host`
    Host,
    /// `Path`; whether escapes are decoded before (`-decode`).
    Path {
        /// `-decode`
        decoded: bool,
    },
    /// `URL`
    Url,
    /// `Query`
    Query,
    /// `Method`
    Method,
    /// Anything else: fields, templates.
    Other,
}

/// Why no request has a subject that the pattern matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// A clause, as in "no request matches this: …".
    pub reason: String,
    /// What was probably meant.
    pub instead: Option<String>,
}

impl Subject {
    /// Why `pattern` is never found, if that is certain.
    pub fn doubt(self, pattern: &str, kind: Kind, ignore_case: bool) -> Option<Doubt> {
        let text = Text { pattern, kind };
        match self {
            Subject::Host => text.host(),
            Subject::Path { decoded } => text.path(decoded),
            Subject::Url => {
                let reason = "a URL here is the path and query of the request, which begin with /";
                text.target(reason).or_else(|| text.encoded())
            }
            Subject::Query => text.query(),
            Subject::Method => text.method(ignore_case),
            Subject::Other => None,
        }
    }
}

fn doubt(reason: impl Into<String>, instead: Option<String>) -> Option<Doubt> {
    Some(Doubt { reason: reason.into(), instead })
}

struct Text<'a> {
    pattern: &'a str,
    kind: Kind,
}

impl Text<'_> {
    fn is_expression(&self) -> bool {
        matches!(self.kind, Kind::Posix | Kind::Perl)
    }

    /// The letters with which every subject begins that this matches, as far as that is easily seen.
    fn start(&self) -> Option<&str> {
        match self.kind {
            Kind::Exact | Kind::Prefix => Some(self.pattern),
            Kind::Posix | Kind::Perl => {
                let rest = self.pattern.strip_prefix('^')?;
                if rest.contains('|') {
                    return None;
                }
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                // What follows may make the last letter optional.
                let end = match rest[end..].chars().next() {
                    Some('*' | '?' | '{') => end.saturating_sub(1),
                    _ => end,
                };
                Some(&rest[..end]).filter(|start| !start.is_empty())
            }
            Kind::Suffix | Kind::Contains => None,
        }
    }

    fn host(&self) -> Option<Doubt> {
        let text = self.pattern;
        let lower = text.to_ascii_lowercase();
        if let Some(rest) = lower.trim_start_matches('^').split_once("://").map(|(_, rest)| rest) {
            let host = rest.trim_end_matches('$').split(['/', '?', '#']).next().unwrap_or_default();
            return doubt("a host has no scheme before it", suggestion("Host", host));
        }
        if self.is_expression() {
            return None;
        }
        if let Some(rest) = text.strip_prefix("*.") {
            let reason = "* is no wildcard here, it stands for itself";
            return doubt(reason, Some(format!("Host -end \".{rest}\"")));
        }
        if text.contains('*') {
            let expression = format!("^{}$", text.replace('.', "[.]").replace('*', "[^.]*"));
            let reason = "* is no wildcard here, it stands for itself";
            return doubt(reason, Some(format!("Host -re \"{expression}\"")));
        }
        if let Some((host, _)) = text.split_once('/') {
            return doubt("a host has no path behind it", suggestion("Host", host));
        }
        if let Some((_, host)) = text.split_once('@') {
            return doubt("no user stands before a host", suggestion("Host", host));
        }
        if let Some(character) = text.chars().find(|c| !c.is_ascii()) {
            let name = crate::text::name(character);
            return doubt(
                format!(
                    "no host has {name} in it: names beyond ASCII are sent in the form that begins with xn--"
                ),
                None,
            );
        }
        if let Some(character) = text.chars().find(|c| " \t\"<>?#\\^`{}|,;".contains(*c)) {
            // RFC 3986 allows , and ; in a name, which no name has.
            return doubt(format!("no host has {character:?} in it"), several("Host", text));
        }
        let (name, port) =
            text.rsplit_once(':').filter(|(name, _)| !name.contains(':') || name.ends_with(']'))?;
        let number = port.parse::<u32>().ok().filter(|port| (1..=65535).contains(port));
        if self.kind == Kind::Exact && (number.is_none() || name.is_empty()) {
            return doubt("this is no port", suggestion("Host", name));
        }
        None
    }

    fn path(&self, decoded: bool) -> Option<Doubt> {
        if let Some(doubt) = self.target("a path begins with /") {
            return Some(doubt);
        }
        if self.is_expression() || decoded {
            return None;
        }
        let Some((path, _)) = self.pattern.split_once('?') else { return self.encoded() };
        doubt("a path ends before the ?; what follows is looked at by Query", suggestion("Path -exact", path))
    }

    /// What begins with a slash, or is the `*` of `OPTIONS *`.
    fn target(&self, reason: &str) -> Option<Doubt> {
        if let Some(start) = self.start().filter(|start| !start.is_empty()) {
            let lower = start.to_ascii_lowercase();
            if lower == "http"
                || lower == "https"
                || lower.starts_with("http://")
                || lower.starts_with("https://")
            {
                return doubt("the scheme and the host are not part of it; Host looks at the host", None);
            }
            if !start.starts_with('/') && start != "*" {
                let slashed = match self.kind {
                    Kind::Exact => format!("-exact \"/{start}\""),
                    Kind::Prefix => format!("-beg \"/{start}\""),
                    _ => format!("\"^/{}\"", &self.pattern[1..]),
                };
                return doubt(reason, Some(slashed));
            }
        }
        None
    }

    /// What is only sent in its encoded form.
    fn encoded(&self) -> Option<Doubt> {
        if self.is_expression() {
            return None;
        }
        let character = self.pattern.chars().find(|c| " \t".contains(*c))?;
        let code = u32::from(character);
        doubt(format!("no request has {character:?} in it: it is sent as %{code:02X}"), None)
    }

    fn query(&self) -> Option<Doubt> {
        match self.start() {
            Some(start) if start.starts_with('?') && !self.is_expression() => {
                let rest = start.trim_start_matches('?');
                doubt("the query is what stands behind the ?", Some(format!("\"{rest}\"")))
            }
            _ => self.encoded(),
        }
    }

    fn method(&self, ignore_case: bool) -> Option<Doubt> {
        let bare = match self.kind {
            Kind::Posix | Kind::Perl => self.pattern.trim_start_matches('^').trim_end_matches('$'),
            _ => self.pattern,
        };
        let upper = bare.to_ascii_uppercase();
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];
        if !ignore_case && bare != upper && known.contains(&&*upper) {
            return doubt(
                "methods are written in capital letters, and case counts",
                suggestion("Method", &upper),
            );
        }
        if !self.is_expression() && bare.contains([' ', ',', '/', '"']) {
            return doubt("this is no method", several("Method", bare));
        }
        None
    }
}

fn suggestion(directive: &str, text: &str) -> Option<String> {
    (!text.is_empty()).then(|| format!("{directive} \"{text}\""))
}

/// Several texts where one is expected.
fn several(directive: &str, text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split([' ', '\t', ',', ';', '|']).filter(|part| !part.is_empty()).collect();
    let plain =
        |part: &&str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
    (parts.len() > 1 && parts.iter().all(plain)).then(|| {
        let lines: String = parts.iter().map(|part| format!("\n    {directive} \"{part}\"")).collect();
        format!("Match or{lines}\nEnd")
    })
}

#[cfg(test)]
mod tests {
    use super::Kind::{Contains, Exact, Perl, Posix, Prefix, Suffix};
    use super::*;

    fn check(subject: Subject, pattern: &str, kind: Kind, expect: Option<&str>) {
        let found = subject.doubt(pattern, kind, false);
        match expect {
            None => assert_eq!(found, None, "{pattern}"),
            Some(instead) => {
                let found = found.unwrap_or_else(|| panic!("{pattern} passes"));
                assert_eq!(found.instead.unwrap_or_default(), instead, "{pattern}");
            }
        }
    }

    #[test]
    fn a_host_is_a_name_and_perhaps_a_port() {
        let check = |pattern, kind, expect| check(Subject::Host, pattern, kind, expect);
        for plain in
            ["www.example.org", "a:8080", "[::1]", "[::1]:80", "10.0.0.1", "my_host", "example.org.", ""]
        {
            check(plain, Exact, None);
        }
        check(".example.org", Suffix, None);
        check("^(www[.])?example[.]org(:[0-9]+)?$", Posix, None);
        check("*.example.org", Exact, Some("Host -end \".example.org\""));
        check("*.example.org", Suffix, Some("Host -end \".example.org\""));
        check("www*.example.org", Exact, Some("Host -re \"^www[^.]*[.]example[.]org$\""));
        check("http://www.example.org/", Exact, Some("Host \"www.example.org\""));
        check("HTTPS://a:8443/x?y", Prefix, Some("Host \"a:8443\""));
        check("^https?://a", Posix, Some("Host \"a\""));
        check("www.example.org/app", Exact, Some("Host \"www.example.org\""));
        check("user@a.example", Exact, Some("Host \"a.example\""));
        check("a b", Exact, Some("Match or\n    Host \"a\"\n    Host \"b\"\nEnd"));
        check(
            "a.example, b.example",
            Exact,
            Some("Match or\n    Host \"a.example\"\n    Host \"b.example\"\nEnd"),
        );
        check(
            "0.0.0.0 evil.example",
            Exact,
            Some("Match or\n    Host \"0.0.0.0\"\n    Host \"evil.example\"\nEnd"),
        );
        check("bücher.example", Exact, Some(""));
        check("a.example:http", Exact, Some("Host \"a.example\""));
        check("a.example:99999", Exact, Some("Host \"a.example\""));
    }

    #[test]
    fn a_path_begins_with_a_slash() {
        let path = Subject::Path { decoded: false };
        for kind in [Exact, Prefix] {
            check(path, "/app/", kind, None);
        }
        check(path, "*", Exact, None);
        check(path, "app", Posix, None);
        check(path, "[.]php$", Posix, None);
        check(path, ".php", Suffix, None);
        check(path, "admin", Contains, None);
        check(path, "^(/a|b)", Posix, None);
        check(path, "^x*/a", Posix, None);
        check(path, "^[/]a", Posix, None);
        check(path, "app/", Prefix, Some("-beg \"/app/\""));
        check(path, "foo", Exact, Some("-exact \"/foo\""));
        check(path, "^foo/", Posix, Some("\"^/foo/\""));
        check(path, "^foo/", Perl, Some("\"^/foo/\""));
        check(path, "http://a/b", Prefix, Some(""));
        check(path, "^https://a", Posix, Some(""));
        check(path, "/a?b=1", Exact, Some("Path -exact \"/a\""));
        check(path, "/a b", Exact, Some(""));
        check(Subject::Path { decoded: true }, "/a b?", Exact, None);
        check(Subject::Url, "/a?b=1", Exact, None);
        check(Subject::Url, "a?b=1", Exact, Some("-exact \"/a?b=1\""));
        check(Subject::Query, "a=1", Exact, None);
        check(Subject::Query, "?a=1", Prefix, Some("\"a=1\""));
    }

    #[test]
    fn a_method_is_in_capital_letters() {
        check(Subject::Method, "GET", Posix, None);
        check(Subject::Method, "^(get|post)$", Posix, None);
        check(Subject::Method, "^get$", Posix, Some("Method \"GET\""));
        check(Subject::Method, "post", Exact, Some("Method \"POST\""));
        check(
            Subject::Method,
            "PUT DELETE",
            Exact,
            Some("Match or\n    Method \"PUT\"\n    Method \"DELETE\"\nEnd"),
        );
        assert_eq!(Subject::Method.doubt("get", Posix, true), None);
    }
}
