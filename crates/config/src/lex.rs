//! One line of configuration text, taken apart into words.
//!
//! A word is bare (everything up to the next blank) or stands in double quotes, where `\"` and `\\` are the characters
//! themselves and a backslash before anything else is lost, with a warning. `#` at the start of a word begins a
//! comment. Characters that look like blanks, quotes or nothing and are not are named where they stand.

use plan::text::{self, Look};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::Span;

/// One word of a line.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    /// Without quotes and escapes.
    pub(crate) text: Box<str>,
    /// With quotes.
    pub(crate) span: Span,
    pub(crate) quoted: bool,
    /// It has already been complained about.
    pub(crate) bad: bool,
    /// Something that nobody sees was left out: the text is not what stands in the file.
    cleaned: bool,
    /// Offsets in `text` of characters that had a backslash before them.
    escaped: Box<[u32]>,
}

impl Word {
    /// An option such as `-exact`.
    pub(crate) fn is_flag(&self) -> bool {
        !self.quoted && matches!(self.text.as_bytes(), [b'-', letter, ..] if letter.is_ascii_alphabetic())
    }

    /// The place in the file of a part of the text.
    pub(crate) fn part(&self, at: usize, len: usize) -> Span {
        if self.cleaned {
            return self.span;
        }
        let shift = |offset: usize| {
            let before = self.escaped.iter().take_while(|&&escaped| (escaped as usize) < offset).count();
            self.span.start + u32::from(self.quoted) + (offset + before) as u32
        };
        let last = self.span.end.saturating_sub(u32::from(self.quoted)).max(self.span.start);
        // An escaped character begins at its backslash, as only the escapes before it shift it.
        let start = shift(at);
        let end = shift(at + len);
        Span { start: start.min(last), end: end.clamp(start.min(last), last), ..self.span }
    }
}

/// Takes a line apart. `start` is the offset of `line` in the text.
pub(crate) fn words(line: &str, source: u32, start: usize, diagnostics: &mut Diagnostics) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        let skip = line[at..].find(|character: char| !is_blank(character)).unwrap_or(line.len() - at);
        refuse_lookalikes(&line[at..at + skip], source, start + at, diagnostics);
        at += skip;
        if at == line.len() || line[at..].starts_with('#') {
            break;
        }
        let (word, len) = match line[at..].strip_prefix('"') {
            Some(inner) => string(inner, source, start + at, diagnostics),
            None => bare(&line[at..], source, start + at),
        };
        at += len;
        let word = refuse_broken_text(word, diagnostics);
        words.push(if word.quoted { word } else { refuse_quotes(word, words.is_empty(), diagnostics) });
        if words.last().is_some_and(|word| word.bad && !word.quoted && opens_with_quote(&word.text)) {
            // The other words are most likely within the same quotes.
            let rest = line[at..].trim_end_matches(is_blank).len();
            let span = span(source, start + at, rest);
            let rest = Word {
                text: "".into(),
                span,
                quoted: false,
                bad: true,
                cleaned: false,
                escaped: Box::default(),
            };
            words.extend((rest.span.start < rest.span.end).then_some(rest));
            break;
        }
    }
    words
}

/// Between words; those of other scripts are refused, but they are what they look like.
fn is_blank(character: char) -> bool {
    character.is_ascii_whitespace()
        || character == '\u{b}'
        || (!character.is_ascii() && text::looks_like(character) == Some(Look::Blank))
}

fn refuse_lookalikes(blanks: &str, source: u32, start: usize, diagnostics: &mut Diagnostics) {
    // One complaint a gap: they come in swarms.
    if let Some((at, character)) = blanks.char_indices().find(|(_, character)| !character.is_ascii()) {
        let span = span(source, start + at, character.len_utf8());
        diagnostics.push(
            Diagnostic::error(span, format!("{} cannot stand here", text::name(character)))
                .label("expected a plain blank")
                .help("text that is copied from web pages and word processors has such characters"),
        );
    }
}

fn opens_with_quote(text: &str) -> bool {
    text.starts_with(|first| first == '\'' || text::looks_like(first) == Some(Look::Quote))
}

/// Refuses a bare word that stands in what its author took for quotes, or begins with what they took for a dash.
fn refuse_quotes(mut word: Word, is_first: bool, diagnostics: &mut Diagnostics) -> Word {
    if word.bad {
        return word;
    }
    let is_quote = |&(_, character): &(usize, char)| text::looks_like(character) == Some(Look::Quote);
    let odd = match word.text.chars().next() {
        Some('\'') => Some((0, '\'')),
        Some(first) if text::looks_like(first) == Some(Look::Sign('-')) => Some((0, first)),
        _ => word.text.char_indices().find(is_quote),
    };
    let Some((at, character)) = odd else { return word };
    word.bad = true;
    let span = word.part(at, character.len_utf8());
    let diagnostic =
        match text::looks_like(character) {
            Some(Look::Sign(sign)) => {
                Diagnostic::error(span, format!("{} is not a {sign}", text::name(character))).label(
                    if is_first { "expected a directive" } else { "expected an option that begins with -" },
                )
            }
            _ if character == '\'' => {
                Diagnostic::error(span, "a text stands in double quotes, not in single ones")
            }
            _ => Diagnostic::error(span, format!("{} is not a quote here", text::name(character)))
                .label("expected \""),
        };
    diagnostics.push(diagnostic);
    word
}

fn span(source: u32, start: usize, len: usize) -> Span {
    Span { source, start: start as u32, end: (start + len) as u32 }
}

fn bare(rest: &str, source: u32, start: usize) -> (Word, usize) {
    let len = rest.find(is_blank).unwrap_or(rest.len());
    let word = Word {
        text: rest[..len].into(),
        span: span(source, start, len),
        quoted: false,
        bad: false,
        cleaned: false,
        escaped: Box::default(),
    };
    (word, len)
}

/// Reads a string behind its opening quote; `start` is the quote's offset.
fn string(inner: &str, source: u32, start: usize, diagnostics: &mut Diagnostics) -> (Word, usize) {
    let bytes = inner.as_bytes();
    // Most strings hold no escape, and can be taken as they are.
    let plain = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(bytes.len());
    let mut text = String::from(&inner[..plain]);
    let mut escaped = Vec::new();
    let mut lost = Vec::new();
    let mut at = plain;
    let mut closed = false;
    while at < inner.len() {
        let rest = &inner[at..];
        match rest.as_bytes()[0] {
            b'"' => {
                at += 1;
                closed = true;
                break;
            }
            b'\\' => match rest[1..].chars().next() {
                Some(character) => {
                    if !matches!(character, '"' | '\\') {
                        lost.push(span(source, start + 1 + at, 1 + character.len_utf8()));
                    }
                    escaped.push(text.len() as u32);
                    text.push(character);
                    at += 1 + character.len_utf8();
                }
                None => at += 1,
            },
            _ => {
                let len = rest.find(['"', '\\']).unwrap_or(rest.len());
                text.push_str(&rest[..len]);
                at += len;
            }
        }
    }
    let mut word = Word {
        text: text.into(),
        span: span(source, start, 1 + at),
        quoted: true,
        bad: false,
        cleaned: false,
        escaped: escaped.into(),
    };
    if !closed {
        word.bad = true;
        let trimmed = word.span.end as usize - (inner.len() - inner.trim_end().len());
        word.span.end = trimmed as u32;
        let curly = inner.char_indices().rfind(|&(_, c)| text::looks_like(c) == Some(Look::Quote));
        diagnostics.push(
            Diagnostic::error(word.span, "the string does not end on its line")
                .label("expected \" before the end of the line")
                .help_if(curly.map(|(_, quote)| format!("{} ends no string", text::name(quote)))),
        );
        return (word, 1 + inner.len());
    }
    warn_of_lost_backslashes(&lost, &inner[..at - 1], diagnostics);
    let rest = &inner[at..];
    if rest.chars().next().is_some_and(|character| !is_blank(character)) {
        let len = rest.find(is_blank).unwrap_or(rest.len());
        word.bad = true;
        diagnostics.push(
            Diagnostic::error(span(source, start + 1 + at, len), "a string must be followed by a blank")
                .label("expected a blank or the end of the line")
                .help("a quote inside of a string is written \\\""),
        );
        return (word, 1 + at + len);
    }
    (word, 1 + at)
}

/// In Pound 2.x a string was raw, so `"/a\.b"` was the expression /a\.b; since 4.0 it is /a.b. That must not happen
/// unnoticed.
fn warn_of_lost_backslashes(lost: &[Span], raw: &str, diagnostics: &mut Diagnostics) {
    let Some((first, others)) = lost.split_first() else { return };
    let mut doubled = String::from("\"");
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        doubled.push(character);
        if character == '\\'
            && let Some(next) = characters.next()
        {
            if !matches!(next, '"' | '\\') {
                doubled.push('\\');
            }
            doubled.push(next);
        }
    }
    doubled.push('"');
    let mut diagnostic =
        Diagnostic::warning(*first, "this backslash is lost: in a string, only \\\" and \\\\ are escapes")
            .help(format!("to keep it, as a regular expression needs, double it: {doubled}"));
    for span in others {
        diagnostic = diagnostic.also(*span);
    }
    diagnostics.push(diagnostic);
}

/// Refuses what cannot have been meant: bytes that were no UTF-8, control characters, and in bare words characters that
/// nobody sees. Whether these may be in a string depends on what it is for.
fn refuse_broken_text(mut word: Word, diagnostics: &mut Diagnostics) -> Word {
    if word.bad {
        return word;
    }
    let broken = |character: char| {
        character == char::REPLACEMENT_CHARACTER || (character.is_control() && character != '\t')
    };
    let found = match word.quoted {
        true => word.text.char_indices().find(|&(_, character)| broken(character)),
        false => text::invisible(&word.text),
    };
    let Some((at, character)) = found else { return word };
    let span = word.part(at, character.len_utf8());
    diagnostics.push(match character {
        char::REPLACEMENT_CHARACTER => {
            Diagnostic::error(span, "this is not UTF-8").help("only comments may be in another encoding")
        }
        _ => Diagnostic::error(span, format!("{} cannot stand here", text::name(character)))
            .help("it cannot be seen: delete it, or write the line anew"),
    });
    // Without what nobody sees it is most likely the word that was meant, and may begin a block.
    if broken(character) {
        word.bad = true;
    } else {
        word.cleaned = true;
        word.text = word.text.chars().filter(|c| text::looks_like(*c) != Some(Look::Nothing)).collect();
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lex(line: &str) -> (Vec<Word>, Diagnostics) {
        let mut diagnostics = Diagnostics::default();
        let source = diagnostics.sources.add("x".into(), line.into());
        (words(line, source, 0, &mut diagnostics), diagnostics)
    }

    fn check(line: &str, expect: &[&str]) {
        let (words, diagnostics) = lex(line);
        let texts: Vec<&str> = words.iter().map(|word| &*word.text).collect();
        assert_eq!(texts, expect, "{line}");
        assert!(diagnostics.is_empty(), "{}", diagnostics.render(false));
    }

    #[test]
    fn words_are_bare_or_quoted() {
        check("", &[]);
        check(" \t ", &[]);
        check("# all comment", &[]);
        check("Port 80", &["Port", "80"]);
        check("\tAddress\t::1 # here\r", &["Address", "::1"]);
        check("Header \"a b\" -icase", &["Header", "a b", "-icase"]);
        check("URL \"#x\" #y", &["URL", "#x"]);
        check("Host a#b", &["Host", "a#b"]);
        check(r#"X "\"\\" """#, &["X", "\"\\", ""]);
    }

    #[test]
    fn only_bare_words_are_flags() {
        let (words, _) = lex("Path -exact \"-x\" - -1");
        let flags: Vec<bool> = words.iter().map(Word::is_flag).collect();
        assert_eq!(flags, [false, true, false, false, false]);
    }

    #[test]
    fn parts_are_found_behind_escapes() {
        let line = r#"URL "a\\.b\"c" plain"#;
        let (words, diagnostics) = lex(line);
        assert_eq!(&*words[1].text, r#"a\.b"c"#);
        let part = |word: usize, at, len| diagnostics.sources.slice(words[word].part(at, len));
        assert_eq!(part(1, 0, 1), "a");
        assert_eq!(part(1, 1, 1), r"\\");
        assert_eq!(part(1, 1, 2), r"\\.");
        assert_eq!(part(1, 3, 1), "b");
        assert_eq!(part(1, 4, 2), r#"\"c"#);
        assert_eq!(part(1, 0, 99), r#"a\\.b\"c"#);
        assert_eq!(part(2, 1, 2), "la");
        assert_eq!(part(2, 1, 99), "lain");
    }

    #[test]
    fn lost_backslashes_are_shown_doubled() {
        let (words, diagnostics) = lex(r#"URL "(^\/a\.b$)\"\\""#);
        assert_eq!(&*words[1].text, r#"(^/a.b$)"\"#);
        assert_eq!(diagnostics.warnings(), 1);
        let help: Vec<&str> = diagnostics.iter().flat_map(Diagnostic::advice).collect();
        assert!(help[0].ends_with(r#""(^\\/a\\.b$)\"\\""#), "{help:?}");
    }

    #[test]
    fn broken_strings_are_refused_and_marked() {
        for (line, faulty) in [
            ("URL \"abc  ", "\"abc"),
            ("URL \"abc\\", "\"abc\\"),
            ("URL \"a\"b\"c", "b\"c"),
            ("URL \"a\u{fffd}b\"", "\u{fffd}"),
            ("URL a\u{7}b", "\u{7}"),
        ] {
            let (words, diagnostics) = lex(line);
            assert!(words[1].bad, "{line}");
            assert_eq!(diagnostics.errors(), 1, "{line}");
            let span = diagnostics.iter().next().map(|diagnostic| diagnostic.spans()[0]).unwrap();
            assert_eq!(diagnostics.sources.slice(span), faulty, "{line}");
        }
    }
}
