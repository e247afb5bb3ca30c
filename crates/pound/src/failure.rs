//! Why `pound` did not start: one sentence.

use std::fmt;
use std::path::Path;

/// What went wrong before the first request could be served: what, where, and what to do, in one sentence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    sentence: String,
    status: u8,
}

/// The exit status of a process that could not start.
pub(crate) const FAILED: u8 = 1;

/// The exit status where another start would do harm as long as nobody has changed anything: a token has refused its PIN.
/// It is sysexits' EX_NOPERM, and stands in packaging/pound.service.
pub(crate) const NOT_AGAIN: u8 = 77;

impl Failure {
    /// A failure in these words.
    pub(crate) fn new(sentence: impl Into<String>) -> Failure {
        Failure { sentence: sentence.into(), status: FAILED }
    }

    /// The same, of which nothing that starts us by itself should make another try.
    pub(crate) fn not_again(self) -> Failure {
        Failure { status: NOT_AGAIN, ..self }
    }

    /// What the process ends with.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }

    /// The same, beginning with the place in the configuration that asked for it.
    ///
    /// The plan carries no positions, so the line is found by its first word: right for the global directives, of which
    /// the last one counts. A directive that came from an included file is placed at the file alone.
    pub(crate) fn at(file: &Path, directive: &str, sentence: impl fmt::Display) -> Failure {
        let text = std::fs::read(file).ok().and_then(|bytes| plan::text::decode(bytes).ok());
        let line = text.and_then(|text| line_of(&text, directive, None));
        match line {
            Some(line) => Failure::new(format!("{}:{line}: {sentence}", file.display())),
            None => Failure::new(format!("{}: {directive}: {sentence}", file.display())),
        }
    }

    /// The same for the last line in which `directive` has this value; without one in this file, the file alone.
    pub(crate) fn at_value(
        file: &Path,
        directive: &str,
        value: &str,
        sentence: impl fmt::Display,
    ) -> Failure {
        let text = std::fs::read(file).ok().and_then(|bytes| plan::text::decode(bytes).ok());
        match text.and_then(|text| line_of(&text, directive, Some(value))) {
            Some(line) => Failure::new(format!("{}:{line}: {sentence}", file.display())),
            None => Failure::new(format!("{}: {sentence}", file.display())),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// The number (from 1) of the last line whose first word is `directive`, and whose second is `value` if there is one; case
/// does not count.
fn line_of(text: &str, directive: &str, value: Option<&str>) -> Option<usize> {
    let is_it = |line: &str| {
        let mut words = line.split_whitespace();
        words.next().is_some_and(|word| word.eq_ignore_ascii_case(directive))
            && value.is_none_or(|value| {
                words.next().is_some_and(|word| word.trim_matches('"').eq_ignore_ascii_case(value))
            })
    };
    text.lines().enumerate().filter(|(_, line)| is_it(line)).last().map(|(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_line_that_asked_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pound.cfg");
        std::fs::write(&file, b"\xef\xbb\xbfUser \"root\" # \xe9\r\nDaemon no\r\n  user \"nobdy\"\r\n")
            .unwrap();
        let text = Failure::at(&file, "User", "no such user").to_string();
        assert_eq!(text, format!("{}:3: no such user", file.display()));
        let text = Failure::at(&file, "Group", "no such group").to_string();
        assert_eq!(text, format!("{}: Group: no such group", file.display()));
        let text = Failure::at_value(&file, "User", "Root", "why").to_string();
        assert_eq!(text, format!("{}:1: why", file.display()));
        let text = Failure::at_value(&file, "User", "other", "why").to_string();
        assert_eq!(text, format!("{}: why", file.display()));
    }
}
