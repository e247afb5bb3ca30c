//! Strings with references to the request: `https://%[host]/new$1`.

use std::fmt;

use crate::limits::CAPTURE_BACK_MAX;

/// A string that is expanded for each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    origin: Option<Box<str>>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Taken as it is.
    Literal(String),
    /// `$1`, `${1}`, `%1`, `$1(2)`, `$1(tag)`: a group of an earlier match.
    Capture {
        /// The group; 0 is the whole match.
        group: u8,
        /// Which match.
        of: Which,
    },
    /// `%[host]` and the like.
    Accessor(Accessor),
}

/// Which of the matches that have been made so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// This many matches back; 0 is the latest.
    Back(u8),
    /// The latest one with this tag (`-tag`).
    Tag(String),
}

/// A part of the request by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accessor {
    /// `%[url]`: path and query.
    Url,
    /// `%[path]`
    Path,
    /// `%[query]`, without the question mark.
    Query,
    /// `%[param NAME]`: a query parameter.
    Param(String),
    /// `%[header NAME]`: the value of the first field of that name; the answer's in a rewrite of answers.
    Header(String),
    /// `%[host]`: what was asked for, without the port.
    Host,
    /// `%[port]`: the port in what was asked for, with the colon before it; empty if there is none.
    Port,
    /// `%[remoteip 0]` is the peer's address, `%[remoteip 1]` the one that a trusted proxy forwarded.
    RemoteIp {
        /// True for `%[remoteip 1]`.
        forwarded: bool,
    },
    /// `%[user]`: the user name of Basic authentication.
    User,
    /// `%[ssl subject]` and the like: what is known of the client's TLS; empty without it.
    Tls(TlsFact),
}

macro_rules! tls_facts {
    ($($(#[$doc:meta])* $variant:ident $name:literal)*) => {
        /// What is known of the TLS of a client's connection.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum TlsFact { $($(#[$doc])* $variant,)* }

        impl TlsFact {
            /// All of them.
            pub const ALL: &[TlsFact] = &[$(TlsFact::$variant,)*];

            /// As it is written behind `ssl`.
            pub fn name(self) -> &'static str {
                match self { $(TlsFact::$variant => $name,)* }
            }
        }
    };
}

tls_facts! {
    /// Whom the client's certificate is about, as X-SSL-Subject has it.
    Subject "subject"
    /// Who signed it.
    Issuer "issuer"
    /// Its number, in decimal.
    Serial "serial"
    /// From when on it holds.
    NotBefore "notBefore"
    /// Until when.
    NotAfter "notAfter"
    /// Its SHA-256, in lower-case hexadecimal digits.
    Fingerprint "fingerprint"
    /// `yes` if it was verified, `no` if it was taken as it came (`ClientCert 3`); empty if none was shown.
    Verified "verified"
    /// `TLSv1.2` or `TLSv1.3`.
    Protocol "protocol"
    /// The cipher suite, as OpenSSL names it.
    Cipher "cipher"
    /// The name that the client asked for in TLS, in lower case.
    Sni "sni"
    /// What was agreed on to be spoken within TLS: `http/1.1`; empty if the client named nothing.
    Alpn "alpn"
}

/// Why a template could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Byte offset of the fault in the text.
    pub at: usize,
    /// Length of the faulty part in bytes.
    pub len: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

impl Template {
    /// Reads a text with references.
    ///
    /// `$1`, `${1}`: a group of the latest match; `$1(2)`: two matches back; `$1(tag)`: of the match with that tag;
    /// `%1`: of the match before the latest one, as Pound 4.4 had it; `%[host]` and so on: parts of the request; `$$`
    /// and `$%`: the character itself, as are a `$` or `%` at the very end. A percent sign before two hexadecimal
    /// digits is an encoded octet and stays.
    ///
    /// # Errors
    /// Where a reference is not whole, or names nothing that there is.
    pub fn new(text: &str) -> Result<Template, TemplateError> {
        let mut reader = Reader { text, at: 0, parts: Vec::new() };
        while reader.at < text.len() {
            reader.piece()?;
        }
        Ok(Template { parts: reader.parts, origin: None })
    }

    /// A text that is taken as it is.
    pub fn literal(text: impl Into<String>) -> Template {
        let text = text.into();
        Template { parts: if text.is_empty() { Vec::new() } else { vec![Part::Literal(text)] }, origin: None }
    }

    /// The same, with the place that it comes from, for complaints: `pound.cfg:12: SetPath "/new$1"`.
    #[must_use]
    pub fn from_place(mut self, origin: impl Into<Box<str>>) -> Template {
        self.origin = Some(origin.into());
        self
    }

    /// Without the slash at its end, if it has one.
    #[must_use]
    pub fn without_last_slash(mut self) -> Template {
        if let Some(Part::Literal(text)) = self.parts.last_mut()
            && text.ends_with('/')
        {
            text.pop();
            if text.is_empty() {
                self.parts.pop();
            }
        }
        self
    }

    /// Where it comes from, if that is known. Only kept for a template whose expansion can fail.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// In order; no two literals stand side by side.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether there is anything to expand.
    pub fn has_references(&self) -> bool {
        self.parts.iter().any(|part| !matches!(part, Part::Literal(_)))
    }

    /// Whether a capture is referred to: only then must matches be remembered.
    pub fn has_captures(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Capture { .. }))
    }

    /// The text, where there is nothing to expand.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

/// The text from which the template would be read again.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Literal(text) => {
                    for (at, character) in text.char_indices() {
                        let octet = character == '%' && is_octet(&text.as_bytes()[at..]);
                        if matches!(character, '$' | '%') && !octet {
                            f.write_str("$")?;
                        }
                        write!(f, "{character}")?;
                    }
                }
                Part::Capture { group, of } => write!(f, "${{{group}{of}}}")?,
                Part::Accessor(accessor) => write!(f, "%[{accessor}]")?,
            }
        }
        Ok(())
    }
}

/// As it stands behind a group: `(2)`, `(tag)`, nothing for the latest match.
impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Back(0) => Ok(()),
            Which::Back(back) => write!(f, "({back})"),
            Which::Tag(tag) => write!(f, "({tag})"),
        }
    }
}

impl fmt::Display for Accessor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Accessor::Url => f.write_str("url"),
            Accessor::Path => f.write_str("path"),
            Accessor::Query => f.write_str("query"),
            Accessor::Param(name) => write!(f, "param {name}"),
            Accessor::Header(name) => write!(f, "header {name}"),
            Accessor::Host => f.write_str("host"),
            Accessor::Port => f.write_str("port"),
            Accessor::RemoteIp { forwarded } => write!(f, "remoteip {}", u8::from(*forwarded)),
            Accessor::User => f.write_str("user"),
            Accessor::Tls(fact) => write!(f, "ssl {}", fact.name()),
        }
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for TemplateError {}

/// Whether `bytes` begin with `%` and two hexadecimal digits.
fn is_octet(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    parts: Vec<Part>,
}

impl Reader<'_> {
    /// Reads up to the end of the next reference.
    fn piece(&mut self) -> Result<(), TemplateError> {
        let rest = &self.text[self.at..];
        let plain = rest.find(['$', '%']).unwrap_or(rest.len());
        if plain > 0 {
            self.push_literal(plain);
            return Ok(());
        }
        let bytes = rest.as_bytes();
        match bytes {
            [_] => self.push_literal(1),
            [b'$', b'$' | b'%', ..] => {
                self.at += 1;
                self.push_literal(1);
            }
            _ if is_octet(bytes) => self.push_literal(3),
            [b'%', b'[', ..] => return self.accessor(),
            [_, b'{', digit, ..] if digit.is_ascii_digit() => return self.capture(true),
            [_, digit, ..] if digit.is_ascii_digit() => return self.capture(false),
            [sign, b'{', ..] => {
                let sign = char::from(*sign);
                return Err(self.error(2, format!("expected a group number, such as {sign}{{1}}")));
            }
            [sign, ..] => {
                let sign = char::from(*sign);
                let expected = if sign == '$' { "a group number such as $1" } else { "%[host] or the like" };
                return Err(
                    self.error(1, format!("expected {expected}; write ${sign} for the character itself"))
                );
            }
            [] => {}
        }
        Ok(())
    }

    fn push_literal(&mut self, len: usize) {
        let text = &self.text[self.at..self.at + len];
        match self.parts.last_mut() {
            Some(Part::Literal(literal)) => literal.push_str(text),
            _ => self.parts.push(Part::Literal(text.to_owned())),
        }
        self.at += len;
    }

    /// `$1`, `$1(2)`, `$1(tag)`, all of them in braces too, and `%1`.
    fn capture(&mut self, brace: bool) -> Result<(), TemplateError> {
        let rest = &self.text[self.at..];
        let dollar = rest.starts_with('$');
        let digits_at = 1 + usize::from(brace);
        let mut end = digits_at + rest[digits_at..].bytes().take_while(u8::is_ascii_digit).count();
        let Ok(group) = rest[digits_at..end].parse() else {
            return Err(self.error(end, format!("group numbers go up to {}", u8::MAX)));
        };
        let mut of = Which::Back(if dollar { 0 } else { 1 });
        if dollar && rest[end..].starts_with('(') {
            let Some(close) = rest[end..].find(')') else {
                return Err(self.error(end + 1, "expected ) at the end of the reference".into()));
            };
            let which = &rest[end + 1..end + close];
            of = if which.starts_with(|character: char| character.is_ascii_digit()) {
                match which.parse::<u8>() {
                    Ok(back) if usize::from(back) <= CAPTURE_BACK_MAX => Which::Back(back),
                    _ => {
                        let message =
                            format!("expected how many matches back, 0 to {CAPTURE_BACK_MAX}, or a tag");
                        return Err(TemplateError { at: self.at + end + 1, len: which.len(), message });
                    }
                }
            } else if which.is_empty() {
                let message = "expected a number of matches back or a tag between the parentheses".into();
                return Err(TemplateError { at: self.at + end, len: 2, message });
            } else {
                Which::Tag(which.to_owned())
            };
            end += close + 1;
        }
        if brace {
            if !rest[end..].starts_with('}') {
                return Err(self.error(end, "expected } at the end of the reference".into()));
            }
            end += 1;
        }
        self.parts.push(Part::Capture { group, of });
        self.at += end;
        Ok(())
    }

    /// `%[name]` or `%[name argument]`.
    fn accessor(&mut self) -> Result<(), TemplateError> {
        let rest = &self.text[self.at..];
        let Some(close) = rest.find(']') else {
            return Err(self.error(2, "expected ] at the end of the reference".into()));
        };
        let inner = rest[2..close].trim();
        let (name, argument) = match inner.split_once([' ', '\t']) {
            Some((name, argument)) => (name, argument.trim()),
            None => (inner, ""),
        };
        let accessor = match (name, argument) {
            ("url", "") => Accessor::Url,
            ("path", "") => Accessor::Path,
            ("query", "") => Accessor::Query,
            ("host", "") => Accessor::Host,
            ("port", "") => Accessor::Port,
            ("user", "") => Accessor::User,
            ("param", name) if !name.is_empty() => Accessor::Param(name.to_owned()),
            ("header", name) if !name.is_empty() => Accessor::Header(name.to_owned()),
            ("remoteip", "0") => Accessor::RemoteIp { forwarded: false },
            ("remoteip", "1") => Accessor::RemoteIp { forwarded: true },
            ("param" | "header", _) => {
                return Err(self.error(close + 1, format!("%[{name}] needs a name, such as %[{name} id]")));
            }
            ("ssl", name) => match TlsFact::ALL.iter().find(|fact| fact.name().eq_ignore_ascii_case(name)) {
                Some(fact) => Accessor::Tls(*fact),
                None => {
                    let names: Vec<&str> = TlsFact::ALL.iter().map(|fact| fact.name()).collect();
                    let message = format!("expected %[ssl NAME] with one of {}", names.join(", "));
                    return Err(self.error(close + 1, message));
                }
            },
            ("remoteip", _) => {
                return Err(self.error(
                    close + 1,
                    "expected %[remoteip 0], the peer's address, or %[remoteip 1], the forwarded one".into(),
                ));
            }
            ("const", _) => return Err(self.error(close + 1, "%[const …] is not supported yet".into())),
            ("url" | "path" | "query" | "host" | "port" | "user", _) => {
                return Err(self.error(close + 1, format!("%[{name}] takes no argument")));
            }
            _ => {
                return Err(self.error(
                    close + 1,
                    "expected one of %[url], %[path], %[query], %[param NAME], %[header NAME], %[host], %[port], \
                     %[remoteip 0], %[remoteip 1], %[user], %[ssl NAME]"
                        .into(),
                ));
            }
        };
        self.parts.push(Part::Accessor(accessor));
        self.at += close + 1;
        Ok(())
    }

    fn error(&self, len: usize, message: String) -> TemplateError {
        TemplateError { at: self.at, len, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let parts: Vec<String> = match Template::new(text) {
            Ok(template) => template
                .parts()
                .iter()
                .map(|part| match part {
                    Part::Literal(text) => format!("'{text}'"),
                    Part::Capture { group, of } => format!("{group}:{of:?}"),
                    Part::Accessor(accessor) => format!("{accessor:?}"),
                })
                .collect(),
            Err(error) => vec![format!("{}+{} {}", error.at, error.len, error.message)],
        };
        assert_eq!(parts.join(" "), expect, "{text}");
    }

    #[test]
    fn references_are_found() {
        check("", "");
        check("/plain?a=b", "'/plain?a=b'");
        check("$0", "0:Back(0)");
        check("/new$1.html", "'/new' 1:Back(0) '.html'");
        check("$12x", "12:Back(0) 'x'");
        check("${1}2", "1:Back(0) '2'");
        check("$1(2)$2(img)", "1:Back(2) 2:Tag(\"img\")");
        check("${1(host)}", "1:Tag(\"host\")");
        check("https://%[host]%[url]", "'https://' Host Url");
        check("%[ header  X-Id ]", "Header(\"X-Id\")");
        check("%[param q]%[port]%[query]%[path]%[user]", "Param(\"q\") Port Query Path User");
        check("%[remoteip 0]%[remoteip 1]", "RemoteIp { forwarded: false } RemoteIp { forwarded: true }");
        check("%[ssl subject]%[ssl notafter]", "Tls(Subject) Tls(NotAfter)");
    }

    #[test]
    fn the_old_percent_reference_means_the_match_before() {
        check("https://example.org/%1/x", "'https://example.org/' 1:Back(1) '/x'");
        check("%1(tag)", "1:Back(1) '(tag)'");
    }

    #[test]
    fn encoded_octets_and_doubled_signs_stay() {
        check("/a%20b%2F", "'/a%20b%2F'");
        check("$$1 $%1", "'$1 %1'");
        check("100$", "'100$'");
        check("100%", "'100%'");
    }

    #[test]
    fn faults_are_placed() {
        check("a$b", "1+1 expected a group number such as $1; write $$ for the character itself");
        check("50% off", "2+1 expected %[host] or the like; write $% for the character itself");
        check("x%[host", "1+2 expected ] at the end of the reference");
        check("%[param]", "0+8 %[param] needs a name, such as %[param id]");
        check("%[host x]", "0+9 %[host] takes no argument");
        check(
            "%[remoteip 2]",
            "0+13 expected %[remoteip 0], the peer's address, or %[remoteip 1], the forwarded one",
        );
        let names = "subject, issuer, serial, notBefore, notAfter, fingerprint, verified, protocol, cipher, sni, alpn";
        for text in ["%[ssl]", "%[ssl x]"] {
            check(text, &format!("0+{} expected %[ssl NAME] with one of {names}", text.len()));
        }
        check("$1(8)", "3+1 expected how many matches back, 0 to 7, or a tag");
        check("$1()", "2+2 expected a number of matches back or a tag between the parentheses");
        check("$1(x", "0+3 expected ) at the end of the reference");
        check("${1", "0+3 expected } at the end of the reference");
        check("${x}", "0+2 expected a group number, such as ${1}");
        check("$999", "0+4 group numbers go up to 255");
        let error = Template::new("%[hsot]").unwrap_err();
        assert_eq!((error.at, error.len), (0, 7));
    }

    #[test]
    fn what_is_written_can_be_read_again() {
        for text in
            ["", "/a%20b$$c$%d", "${1(2)}${3(tag)}${0}", "%[header A]%[remoteip 1]%[url]%[ssl notBefore]"]
        {
            let template = Template::new(text).unwrap();
            assert_eq!(template.to_string(), text);
            assert_eq!(Template::new(&template.to_string()).unwrap(), template);
        }
    }

    #[test]
    fn questions_are_answered() {
        let check = |text: &str, references: bool, captures: bool, literal: Option<&str>| {
            let template = Template::new(text).unwrap();
            assert_eq!(template.has_references(), references, "{text}");
            assert_eq!(template.has_captures(), captures, "{text}");
            assert_eq!(template.as_literal(), literal, "{text}");
        };
        check("", false, false, Some(""));
        check("/a$$", false, false, Some("/a$"));
        check("%[host]", true, false, None);
        check("a$1", true, true, None);
        assert_eq!(Template::literal("$1").as_literal(), Some("$1"));
    }
}
