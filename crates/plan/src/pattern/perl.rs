//! Perl-compatible patterns: by the linear engine where it can, else by the backtracking one.

use super::linear::{self, Refused};
use super::{Matcher, PatternError, backtracking, too_big};

/// Compiles `text`.
pub(super) fn compile(text: &str, ignore_case: bool) -> Result<Matcher, PatternError> {
    let adapted = adapt(text);
    let syntax = match linear::read(&adapted, ignore_case) {
        Ok(matcher) => return Ok(matcher),
        Err(Refused::Syntax) => regex_syntax::ast::parse::Parser::new().parse(&adapted).err(),
        Err(Refused::TooBig) => return Err(too_big(text)),
    };
    // Look-around, back-references, atomic groups and possessive repetition are what the linear engine cannot do.
    match backtracking(text, ignore_case) {
        Ok(regex) => Ok(Matcher::Backtracking(regex)),
        Err(error) => Err(explain(text, &adapted, syntax, &error)),
    }
}

/// The sharper of the two complaints. The linear engine's parser knows places; the other one speaks only about what
/// the first does not know.
fn explain(
    text: &str,
    adapted: &str,
    syntax: Option<regex_syntax::ast::Error>,
    error: &fancy_regex::Error,
) -> PatternError {
    use fancy_regex::{CompileError, Error};
    use regex_syntax::ast::ErrorKind::{UnsupportedBackreference, UnsupportedLookAround};
    let at = match error {
        Error::CompileError(error) => match &**error {
            CompileError::PatternTooComplex => return too_big(text),
            CompileError::InnerError(error) if error.syntax_error().is_some() => 0,
            CompileError::InnerError(_) => return too_big(text),
            // The whole could be read, so the first parser's complaint is only about what it does not know.
            error => return fault(text, 0, text.len(), error.to_string()),
        },
        Error::ParseError(at, _) => *at,
        _ => 0,
    };
    match syntax {
        Some(syntax) if !matches!(syntax.kind(), UnsupportedLookAround | UnsupportedBackreference) => {
            let (start, end) = (syntax.span().start.offset, syntax.span().end.offset);
            let (start, end) = (unadapted(text, adapted, start), unadapted(text, adapted, end));
            fault(text, start, end, syntax.kind().to_string())
        }
        _ => fault(text, at, at, error.to_string()),
    }
}

/// A fault from `start` to `end`, or of one character there. The engines count to the end of the text and, at times,
/// into the middle of a character.
fn fault(text: &str, start: usize, end: usize, message: String) -> PatternError {
    let last = text.char_indices().last().map_or(0, |(at, _)| at);
    let at = (0..=start.min(last)).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let one = text[at..].chars().next().map_or(0, char::len_utf8);
    let end = (0..=end.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    PatternError { at, len: end.saturating_sub(at).max(one), message }
}

/// Writes what Perl and the linear engine read differently in the way that both read alike: `\<` and `\>` are the
/// characters, and inside a bracket expression `[`, `&&`, `~~` and `--` have no meaning of their own.
fn adapt(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    walk(text, |piece| out.push_str(piece));
    out
}

/// Offset in `text` of an offset in what [`adapt`] made of it.
fn unadapted(text: &str, adapted: &str, offset: usize) -> usize {
    let (mut read, mut written, mut answer) = (0, 0, text.len());
    if offset >= adapted.len() {
        return answer;
    }
    let mut found = false;
    walk(text, |piece| {
        if !found && written + piece.len() > offset {
            answer = read;
            found = true;
        }
        written += piece.len();
        // What was added is one backslash; what was left out is one backslash too.
        read += match piece {
            r"\[" | r"\&" | r"\~" | r"\-" if !text[read..].starts_with('\\') => 1,
            "<" | ">" if text[read..].starts_with('\\') => 2,
            piece => piece.len(),
        };
    });
    answer
}

fn walk(text: &str, mut emit: impl FnMut(&str)) {
    let bytes = text.as_bytes();
    let (mut at, mut class_start) = (0, None);
    while at < bytes.len() {
        let len = text[at..].chars().next().map_or(1, char::len_utf8);
        match bytes[at] {
            b'\\' if at + 1 < bytes.len() => {
                let len = 1 + text[at + 1..].chars().next().map_or(1, char::len_utf8);
                match &text[at..at + len] {
                    r"\<" => emit("<"),
                    r"\>" => emit(">"),
                    escape => emit(escape),
                }
                at += len;
                continue;
            }
            b'[' if class_start.is_none() => {
                let negated = bytes.get(at + 1) == Some(&b'^');
                let first = at + 1 + usize::from(negated);
                class_start = Some(first);
                emit(&text[at..first]);
                at = first;
                continue;
            }
            b']' if class_start.is_some_and(|first| at > first) => {
                class_start = None;
                emit("]");
            }
            b'[' => match text[at..].starts_with("[:").then(|| text[at..].find(":]")).flatten() {
                Some(end) => {
                    emit(&text[at..at + end + 2]);
                    at += end + 2;
                    continue;
                }
                None => emit(r"\["),
            },
            b'&' if class_start.is_some() => emit(r"\&"),
            b'~' if class_start.is_some() => emit(r"\~"),
            b'-' if class_start.is_some() && at > 0 && bytes[at - 1] == b'-' => emit(r"\-"),
            _ => emit(&text[at..at + len]),
        }
        at += len;
    }
}
