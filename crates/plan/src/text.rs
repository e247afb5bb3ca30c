//! What a text file may hold: the configuration, what it includes, and the lists that it names are all read by these
//! rules, at the start and again when a list changes.
//!
//! UTF-8, with or without a byte order mark; lines end in LF or CR LF, and the last one may lack its end. Everything that
//! an eye cannot tell from something else is refused by its name: a list that guards must not open because of a
//! character that nobody sees. The crate does no I/O: the bytes are handed in.

use std::fmt;

/// A text in another encoding than UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign(&'static str);

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is {} and not UTF-8; save it as UTF-8, or convert it with iconv", self.0)
    }
}

/// The text of a file, without its byte order mark. Bytes that are no UTF-8 become U+FFFD, which nobody takes outside of
/// comments.
///
/// # Errors
/// It is in UTF-16 or UTF-32, as editors of Windows write it when they say Unicode.
pub fn decode(bytes: Vec<u8>) -> Result<String, Foreign> {
    if let Some(foreign) = foreign(&bytes) {
        return Err(Foreign(foreign));
    }
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    };
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    Ok(text)
}

/// What some editors write before a text.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

fn foreign(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        // Without a mark: a letter of ASCII is one byte and one NUL.
        [0, first, 0, second, ..] | [first, 0, second, 0, ..] if *first != 0 && *second != 0 => {
            Some("UTF-16")
        }
        _ => None,
    }
}

/// Where a text has a line end that only some programs take for one: a carriage return without a line feed, U+2028 or
/// U+2029. Whether the rest of a comment is a comment depends on it, so it is nowhere harmless.
pub fn stray_line_end(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|&(at, character)| match character {
        '\u{2028}' | '\u{2029}' => true,
        // Several of them before a line feed come from a conversion that was made twice.
        '\r' => {
            let rest = text[at..].trim_start_matches('\r');
            !(rest.is_empty() || rest.starts_with('\n'))
        }
        _ => false,
    })
}

/// The first character that cannot be seen, or not be told from a blank.
pub fn invisible(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|&(at, character)| match character {
        '\t' => false,
        // Persian and Indian words, and pictures, have these between two letters.
        '\u{200c}' | '\u{200d}' => {
            let before = text[..at].chars().next_back();
            let after = text[at + character.len_utf8()..].chars().next();
            !(before.is_some_and(|c| !c.is_ascii()) && after.is_some_and(|c| !c.is_ascii()))
        }
        _ => character.is_control() || matches!(looks_like(character), Some(Look::Nothing | Look::Blank)),
    })
}

/// What a character is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// It cannot be seen.
    Nothing,
    /// A blank.
    Blank,
    /// `"` or `'`.
    Quote,
    /// `-`, a dot, a slash.
    Sign(char),
}

/// What a character looks like that is not what it looks like.
pub fn looks_like(character: char) -> Option<Look> {
    Some(match character {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Look::Blank,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' => Look::Nothing,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => Look::Nothing,
        BYTE_ORDER_MARK | '\u{fff9}'..='\u{fffd}' | '\u{e0000}'..='\u{e007f}' => Look::Nothing,
        '\u{ab}' | '\u{b4}' | '\u{bb}' | '\u{2018}'..='\u{201f}' | '\u{2032}'..='\u{2036}' => Look::Quote,
        '\u{2039}' | '\u{203a}' | '\u{300c}'..='\u{300f}' | '\u{301d}'..='\u{301f}' => Look::Quote,
        '\u{ff02}' | '\u{ff07}' => Look::Quote,
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => Look::Sign('-'),
        '\u{2024}' | '\u{ff0e}' | '\u{3002}' => Look::Sign('.'),
        '\u{2044}' | '\u{2215}' | '\u{ff0f}' => Look::Sign('/'),
        '\u{ff1a}' => Look::Sign(':'),
        '\u{ff0a}' => Look::Sign('*'),
        _ => return None,
    })
}

/// A character by its number and, where it has one that people know, its name: `U+00A0 no-break space`.
pub fn name(character: char) -> String {
    let name = match character {
        '\0' => "NUL",
        '\u{b}' => "vertical tab",
        '\u{c}' => "form feed",
        '\r' => "carriage return",
        '\u{1b}' => "escape",
        '\u{85}' => "next line",
        '\u{a0}' => "no-break space",
        '\u{ab}' | '\u{bb}' | '\u{2039}' | '\u{203a}' => "angle quotation mark",
        '\u{ad}' => "soft hyphen",
        '\u{b4}' => "acute accent",
        '\u{2002}' => "en space",
        '\u{2003}' => "em space",
        '\u{2007}' => "figure space",
        '\u{2009}' => "thin space",
        '\u{200b}' => "zero width space",
        '\u{200c}' => "zero width non-joiner",
        '\u{200d}' => "zero width joiner",
        '\u{200e}' => "left-to-right mark",
        '\u{200f}' => "right-to-left mark",
        '\u{2010}' => "hyphen",
        '\u{2011}' => "non-breaking hyphen",
        '\u{2013}' => "en dash",
        '\u{2014}' => "em dash",
        '\u{2018}' => "left single quotation mark",
        '\u{2019}' => "right single quotation mark",
        '\u{201a}' => "low single quotation mark",
        '\u{201c}' => "left double quotation mark",
        '\u{201d}' => "right double quotation mark",
        '\u{201e}' => "low double quotation mark",
        '\u{2028}' => "line separator",
        '\u{2029}' => "paragraph separator",
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => "direction mark",
        '\u{202f}' => "narrow no-break space",
        '\u{2032}' => "prime",
        '\u{2033}' => "double prime",
        '\u{2060}' => "word joiner",
        '\u{2212}' => "minus sign",
        '\u{3000}' => "ideographic space",
        BYTE_ORDER_MARK => "byte order mark",
        '\u{ff02}' => "fullwidth quotation mark",
        char::REPLACEMENT_CHARACTER => "replacement character",
        c if c.is_control() => "control character",
        _ => match looks_like(character) {
            Some(Look::Blank) => "space",
            Some(Look::Quote) => "quotation mark",
            Some(Look::Sign('-')) => "dash",
            _ => "",
        },
    };
    let number = format!("U+{:04X}", u32::from(character));
    if name.is_empty() { number } else { format!("{number} {name}") }
}

/// Reads a list line by line: `#` at the start of a line or after a blank begins a comment, blank lines are skipped.
///
/// A list that holds nothing at all is more likely cut off than meant; one that is meant to be empty holds a comment.
///
/// # Errors
/// Line number (from 1) and sentence of each line that cannot be read.
pub(crate) fn lines<T>(
    text: &str,
    mut read: impl FnMut(&str) -> Result<T, String>,
) -> Result<Vec<T>, Vec<(usize, String)>> {
    if let Some((at, character)) = stray_line_end(text) {
        let line = text[..at].matches('\n').count() + 1;
        let sentence =
            format!("{} ends no line here; save the file with the line ends of Unix", name(character));
        return Err(vec![(line, sentence)]);
    }
    let mut values = Vec::new();
    let mut errors = Vec::new();
    let mut commented = false;
    for (index, line) in text.lines().enumerate() {
        let comment = line.match_indices('#').map(|(at, _)| at);
        // A pattern may hold a '#' of its own, so only one that stands apart begins a comment.
        let comment =
            comment.into_iter().find(|&at| at == 0 || is_blank(char::from(line.as_bytes()[at - 1])));
        commented |= comment.is_some();
        let entry = line[..comment.unwrap_or(line.len())].trim_matches(is_blank);
        if entry.is_empty() {
            continue;
        }
        match fit(entry).and_then(|()| read(entry)) {
            Ok(value) => values.push(value),
            Err(sentence) => errors.push((index + 1, sentence)),
        }
    }
    if values.is_empty() && errors.is_empty() && !commented {
        errors.push((1, EMPTY.to_owned()));
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

const EMPTY: &str = "the list holds nothing; if that is meant, write a comment into it, such as \"# nobody\"";

fn is_blank(character: char) -> bool {
    character.is_ascii_whitespace() || character == '\u{b}'
}

/// Refuses an entry in which something stands that cannot be seen, or that stands in quotes.
fn fit(entry: &str) -> Result<(), String> {
    if let Some((_, character)) = invisible(entry) {
        return Err(if character == char::REPLACEMENT_CHARACTER {
            "this is not UTF-8; only comments may be in another encoding".to_owned()
        } else {
            format!("{} cannot stand here", name(character))
        });
    }
    let mut ends = [entry.chars().next(), entry.chars().next_back()].into_iter().flatten();
    if let Some(quote) = ends.clone().find(|&end| looks_like(end) == Some(Look::Quote)) {
        return Err(format!("{}: the entries of a list stand without quotes", name(quote)));
    }
    match (ends.next(), ends.next()) {
        (Some(first @ ('"' | '\'')), Some(last)) if first == last && entry.len() > 1 => {
            Err("the entries of a list stand without quotes".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<String>, Vec<(usize, String)>> {
        match decode(bytes.to_vec()) {
            Ok(text) => lines(&text, |line| Ok(line.to_owned())),
            Err(foreign) => Err(vec![(0, foreign.to_string())]),
        }
    }

    #[test]
    fn every_entry_is_read_however_the_file_was_saved() {
        for bytes in [
            &b"a\nb\n"[..],
            b"a\nb",
            b"a\r\nb\r\n",
            b"a\r\nb",
            b"a\r\r\nb\r",
            b"\xef\xbb\xbfa\nb\n",
            b"\xef\xbb\xbf# both\r\na # one\r\n\r\n\tb \x0b\r\n# \xe9\xa0\n",
        ] {
            assert_eq!(read(bytes), Ok(vec!["a".into(), "b".into()]), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_an_eye_cannot_see_is_refused_by_its_name() {
        let check = |bytes: &[u8], line: usize, said: &str| {
            let errors = read(bytes).expect_err(&bytes.escape_ascii().to_string());
            assert_eq!(errors[0].0, line, "{errors:?}");
            assert!(errors[0].1.contains(said), "{errors:?}");
        };
        check("a\nb\u{a0}\n".as_bytes(), 2, "U+00A0 no-break space");
        check("\u{a0}# a\n".as_bytes(), 1, "U+00A0 no-break space");
        check("a\u{200b}\n".as_bytes(), 1, "U+200B zero width space");
        check("a\n\u{feff}b\n".as_bytes(), 2, "U+FEFF byte order mark");
        check("a\u{ad}b".as_bytes(), 1, "U+00AD soft hyphen");
        check("a\u{200d}b".as_bytes(), 1, "U+200D zero width joiner");
        check("\u{201c}a\u{201d}".as_bytes(), 1, "U+201C left double quotation mark");
        check(b"# x\n\"a\"\n", 2, "without quotes");
        check(b"a\0", 1, "U+0000 NUL");
        check(b"a\n\xe9\n", 2, "not UTF-8");
        check(b"a\rb\r", 1, "U+000D carriage return");
        check(b"# a list\rb\r", 1, "U+000D carriage return");
        check("# a list\u{2028}b\n".as_bytes(), 1, "U+2028 line separator");
        check(b"\xff\xfea\0\n\0", 0, "UTF-16");
        check(b"\xfe\xff\0a\0\n", 0, "UTF-16");
        check(b"a\0\n\0", 0, "UTF-16");
        check(b"\0a\0\n", 0, "UTF-16");
        check(b"\xff\xfe\0\0a\0\0\0", 0, "UTF-32");
        check(b"", 1, "holds nothing");
        check(b"\xef\xbb\xbf\r\n \n", 1, "holds nothing");
    }

    #[test]
    fn letters_are_joined_in_words_that_have_it_so() {
        assert_eq!(read("نیم\u{200c}فاصله".as_bytes()).map(|lines| lines.len()), Ok(1));
    }

    #[test]
    fn a_list_of_comments_is_meant_to_be_empty() {
        assert_eq!(read(b"# nobody\n"), Ok(Vec::new()));
    }
}
