//! Formats whose lines are JSON (`LogFormat "name" -json "…"`).
//!
//! Only what stands between the specifiers can be wrong: what a specifier writes is made a whole JSON value, or the inside
//! of a string, when the line is written. So each is taken for `null` here, or for nothing inside of a string, and the
//! rest must be JSON (RFC 8259).

use super::{FormatError, LogPart};

/// Nesting of arrays and objects that is read; a log line has one level, or two.
const DEPTH_MAX: usize = 32;

/// What is known of a format while its pieces are read.
#[derive(Default)]
pub(super) struct Skeleton {
    text: String,
    /// Where in the format each byte of the text comes from.
    at: Vec<usize>,
    in_string: bool,
    escaped: bool,
}

impl Skeleton {
    /// Adds a piece of the format that begins at `at`, and gives what is written for it and whether it stands outside
    /// of strings.
    pub(super) fn add(&mut self, at: usize, part: LogPart, raw: &str) -> (LogPart, bool) {
        let LogPart::Literal(_) = part else {
            let bare = !self.in_string;
            if bare {
                "null".chars().for_each(|letter| self.push(letter, at));
            }
            return (part, bare);
        };
        // `%%` and `%l` stand for a text of their own.
        let text = match raw {
            "%%" => "%",
            "%l" => "-",
            raw => raw,
        };
        let mut written = String::with_capacity(text.len());
        for (offset, letter) in text.char_indices() {
            let inside = self.in_string;
            match letter {
                _ if self.escaped => self.escaped = false,
                '\\' if inside => self.escaped = true,
                '"' => self.in_string = !inside,
                _ => {}
            }
            self.push(letter, at + offset.min(raw.len().saturating_sub(1)));
            match letter {
                // Blanks between values. A line has one end, and it is ours.
                letter if letter.is_control() && !inside => written.push(' '),
                letter if letter.is_control() => written += &format!("\\u{:04x}", u32::from(letter)),
                letter => written.push(letter),
            }
        }
        (LogPart::Literal(written), false)
    }

    fn push(&mut self, letter: char, at: usize) {
        self.text.push(letter);
        self.at.resize(self.text.len(), at);
    }

    /// Whether all of it is JSON.
    pub(super) fn check(&self) -> Result<(), FormatError> {
        let mut reader = Reader { text: self.text.as_bytes(), at: 0 };
        let read = reader.value(0).and_then(|()| {
            reader.blanks();
            if reader.at == reader.text.len() { Ok(()) } else { Err("the end of the format") }
        });
        read.map_err(|expected| FormatError {
            at: self.at.get(reader.at).copied().unwrap_or_else(|| self.at.last().copied().unwrap_or(0)),
            len: 1,
            message: format!("not JSON: expected {expected} here"),
        })
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

/// What was expected where the reader stands.
type Expected = &'static str;

impl Reader<'_> {
    fn blanks(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// Whether this is next; then it is taken.
    fn takes(&mut self, text: &str) -> bool {
        let is_next = self.text[self.at..].starts_with(text.as_bytes());
        if is_next {
            self.at += text.len();
        }
        is_next
    }

    fn value(&mut self, depth: usize) -> Result<(), Expected> {
        if depth > DEPTH_MAX {
            return Err("less nesting");
        }
        self.blanks();
        match self.text.get(self.at) {
            Some(b'"') => self.string(),
            Some(b'{') => self.list("}", "a comma or }", |reader| {
                reader.blanks();
                reader.string()?;
                reader.blanks();
                if !reader.takes(":") {
                    return Err("a colon behind the name");
                }
                reader.value(depth + 1)
            }),
            Some(b'[') => self.list("]", "a comma or ]", |reader| reader.value(depth + 1)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if ["null", "true", "false"].iter().any(|word| self.takes(word)) => Ok(()),
            _ => Err("a value: {, [, a text in quotes, a number or a specifier"),
        }
    }

    fn list(
        &mut self,
        end: &str,
        expected: Expected,
        mut item: impl FnMut(&mut Self) -> Result<(), Expected>,
    ) -> Result<(), Expected> {
        self.at += 1;
        self.blanks();
        if self.takes(end) {
            return Ok(());
        }
        loop {
            item(self)?;
            self.blanks();
            if self.takes(end) {
                return Ok(());
            }
            if !self.takes(",") {
                return Err(expected);
            }
        }
    }

    fn string(&mut self) -> Result<(), Expected> {
        if !self.takes("\"") {
            return Err("a name in quotes");
        }
        loop {
            match self.text.get(self.at) {
                None => return Err("a quote at the end of the text"),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => match self.text.get(self.at + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
                    Some(b'u')
                        if self.text[self.at + 2..]
                            .iter()
                            .take_while(|byte| byte.is_ascii_hexdigit())
                            .count()
                            >= 4 =>
                    {
                        self.at += 6;
                    }
                    _ => return Err("an escape of JSON such as \\\\n or \\\\u0041"),
                },
                Some(_) => self.at += 1,
            }
        }
    }

    fn number(&mut self) -> Result<(), Expected> {
        let digits = |reader: &mut Self| {
            let count = reader.text[reader.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            reader.at += count;
            if count == 0 { Err("a digit") } else { Ok(()) }
        };
        let _ = self.takes("-");
        // No zeros in front.
        if !self.takes("0") {
            digits(self)?;
        }
        if self.takes(".") {
            digits(self)?;
        }
        if self.takes("e") || self.takes("E") {
            let _ = self.takes("+") || self.takes("-");
            digits(self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    fn check(text: &str, bare: &[bool]) {
        let format = LogFormat::json("x", text).unwrap_or_else(|error| panic!("{text}: {}", error.message));
        assert_eq!(format.style, Style::Json { bare: bare.to_vec() }, "{text}");
    }

    fn refuse(text: &str, at: usize) {
        let error = LogFormat::json("x", text).unwrap_err();
        assert_eq!(error.at, at, "{text}: {}", error.message);
    }

    #[test]
    fn specifiers_are_values_or_within_texts() {
        check(r#"{"host":"%h"}"#, &[false, false, false]);
        check(r#"{"host":%h,"s": %s }"#, &[false, true, false, true, false]);
        check(r#"["%m %U",%b,true,-1.5e3,{},[]]"#, &[false, false, false, false, false, true, false]);
        check(r#"{"a\"b%%":"\u00e9\n%r"}"#, &[false, false, false]);
        check("{\"a\":\t%s}", &[false, true, false]);
    }

    #[test]
    fn what_is_no_json_is_refused_where_it_stands() {
        refuse("", 0);
        refuse("%h %s", 3);
        refuse(r#"{"a":"%h}"#, 8);
        refuse(r#"{"a":%h"#, 5);
        refuse(r#"{"a":%h,}"#, 8);
        refuse(r#"{a:%h}"#, 1);
        refuse(r#"{"a" "%h"}"#, 5);
        refuse(r#"{"a":%s0}"#, 7);
        refuse(r#"{"a":"\x"}"#, 6);
        refuse(r#"{"a":01}"#, 6);
        refuse(r#"{%h:1}"#, 1);
    }

    #[test]
    fn a_control_character_of_the_format_cannot_break_a_line() {
        let format = LogFormat::json("x", "{\"a\tb\":\t\"\u{7f}\"}").unwrap();
        assert_eq!(format.parts, [LogPart::Literal(r#"{"a\u0009b": "\u007f"}"#.into())]);
    }
}
