//! POSIX extended regular expressions (IEEE 1003.1 section 9.4), turned into the syntax of the `regex-automata` crate.
//!
//! Where POSIX leaves the meaning open we do what glibc does, on which Pound has always run: `\<` `\>` `\b` `\B` `\w`
//! `\W` `\s` `\S` `` \` `` `\'` and back-references have their GNU meaning, any other escaped character is itself, an
//! unmatched `)` is itself. Two deviations, both on the side of the operator: `{` that begins no interval is itself
//! (glibc refuses it), and a character outside ASCII is one character, not two or more bytes.
//!
//! One pass, no recursion. A test whether such an expression matches gives the same answer as POSIX; what the groups
//! hold may differ where an alternation could match in several lengths, see the manual.

use super::wild::{Token, Wild};
use super::{Kind, Matcher, NESTING_MAX, PatternError, plain};

/// Repetitions that an interval may ask for (`RE_DUP_MAX` of glibc).
const REPEAT_MAX: u32 = 32767;
/// Repetition operators that may follow each other (`a**`).
const STACKED_MAX: u32 = 8;

/// An expression in the syntax of the `regex-automata` crate.
pub(super) struct Ere {
    pub(super) regex: String,
    /// The same in single characters, where there is no operator but `.*` and anchors at the ends.
    tokens: Option<Vec<Token>>,
    anchored_start: bool,
    anchored_end: bool,
    pub(super) back_references: bool,
}

impl Ere {
    /// A matcher that needs no automaton, if there can be one.
    pub(super) fn without_regex(&self, ignore_case: bool) -> Option<Matcher> {
        let tokens = self.tokens.as_ref()?;
        let byte = |token: &Token| match token {
            Token::Byte(byte) => Some(*byte),
            Token::Any | Token::Gap => None,
        };
        let Some(literal) = tokens.iter().map(byte).collect::<Option<Vec<u8>>>() else {
            let wild = Wild::new(tokens, self.anchored_start, self.anchored_end, ignore_case);
            return Some(Matcher::Wild(wild));
        };
        let kind = match (self.anchored_start, self.anchored_end) {
            (true, true) => Kind::Exact,
            (true, false) => Kind::Prefix,
            (false, true) => Kind::Suffix,
            (false, false) => Kind::Contains,
        };
        Some(plain(kind, ignore_case, &literal))
    }
}

/// Translates `text`.
pub(super) fn translate(text: &str) -> Result<Ere, PatternError> {
    let mut translator = Translator::new(text);
    while translator.at < text.len() {
        translator.piece()?;
    }
    translator.finish()
}

struct Translator<'a> {
    text: &'a str,
    at: usize,
    out: String,
    /// Where in `out` the atom begins that a repetition operator would repeat.
    atom: Option<usize>,
    /// Repetition operators on that atom so far.
    repeated: u32,
    /// Open groups: their place in `out` and in `text`.
    open: Vec<(usize, usize)>,
    groups: u32,
    back_references: bool,
    /// What was read so far, as long as it is nothing but characters and `.*`.
    tokens: Option<Vec<Token>>,
    anchored_start: bool,
    anchored_end: bool,
}

impl<'a> Translator<'a> {
    fn new(text: &'a str) -> Self {
        Translator {
            text,
            at: 0,
            // In POSIX a dot matches a line feed too.
            out: String::from("(?s)"),
            atom: None,
            repeated: 0,
            open: Vec::new(),
            groups: 0,
            back_references: false,
            tokens: Some(Vec::new()),
            anchored_start: false,
            anchored_end: false,
        }
    }

    /// Reads one character and what belongs to it.
    fn piece(&mut self) -> Result<(), PatternError> {
        let rest = &self.text[self.at..];
        let Some(character) = rest.chars().next() else { return Ok(()) };
        match character {
            '\\' => return self.escape(),
            '[' => return self.bracket(),
            '{' => return self.interval(),
            '*' | '+' | '?' => return self.repeat(1, &rest[..1]),
            '(' => {
                if self.open.len() >= NESTING_MAX as usize {
                    return Err(self.error(1, format!("groups may nest {NESTING_MAX} deep")));
                }
                self.open.push((self.out.len(), self.at));
                self.groups += 1;
                self.out.push('(');
                self.operator();
            }
            ')' if !self.open.is_empty() => {
                self.out.push(')');
                self.operator();
                self.atom = self.open.pop().map(|(out, _)| out);
            }
            '|' => {
                self.out.push('|');
                self.operator();
            }
            '^' => {
                self.out.push('^');
                if self.at == 0 {
                    self.anchored_start = true;
                } else {
                    self.tokens = None;
                }
                self.no_atom();
            }
            '$' => {
                self.out.push('$');
                if self.at + 1 == self.text.len() {
                    self.anchored_end = true;
                } else {
                    self.tokens = None;
                }
                self.no_atom();
            }
            '.' => {
                self.begin_atom();
                self.out.push('.');
                self.tokens.iter_mut().for_each(|tokens| tokens.push(Token::Any));
            }
            character => self.character(character),
        }
        self.at += character.len_utf8();
        Ok(())
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        let Some(escaped) = self.text[self.at + 1..].chars().next() else {
            return Err(self.error(1, "nothing follows the backslash".into()));
        };
        match escaped {
            '<' | '>' | 'b' | 'B' | '`' | '\'' => {
                self.out.push_str(match escaped {
                    '<' => r"\b{start}",
                    '>' => r"\b{end}",
                    'b' => r"\b",
                    'B' => r"\B",
                    '`' => r"\A",
                    _ => r"\z",
                });
                self.operator();
            }
            'w' | 'W' | 's' | 'S' => {
                self.begin_atom();
                self.out.push_str(match escaped {
                    'w' => "[0-9A-Za-z_]",
                    'W' => "[^0-9A-Za-z_]",
                    's' => r"[\t-\r ]",
                    _ => r"[^\t-\r ]",
                });
                self.tokens = None;
            }
            '1'..='9' => {
                let group = escaped as u32 - '0' as u32;
                let closed = self.groups - self.open.len() as u32;
                if group > closed {
                    return Err(self.error(2, format!("\\{group} refers to a group that is not there yet")));
                }
                self.begin_atom();
                // In a group of its own, so that a digit that follows does not become part of the number.
                self.out.push_str(&format!("(?:\\{group})"));
                self.back_references = true;
                self.tokens = None;
            }
            character => self.character(character),
        }
        self.at += 1 + escaped.len_utf8();
        Ok(())
    }

    fn interval(&mut self) -> Result<(), PatternError> {
        let rest = &self.text[self.at + 1..];
        let span = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b',').count();
        // Not an interval: "/{id}" is taken as it stands.
        if span == 0 || (rest.as_bytes().get(span) != Some(&b'}') && self.atom.is_none()) {
            self.character('{');
            self.at += 1;
            return Ok(());
        }
        if rest.as_bytes().get(span) != Some(&b'}') {
            return Err(self.error(
                1 + span,
                "expected } at the end of the interval; write [{] for a brace itself".into(),
            ));
        }
        let (low, high) = match rest[..span].split_once(',') {
            Some((low, high)) => (low, Some(high)),
            None => (&rest[..span], None),
        };
        let count = |digits: &str, missing: u32| match digits {
            "" => Ok(missing),
            digits => match digits.parse() {
                Ok(count) if count <= REPEAT_MAX => Ok(count),
                _ => Err(self.error(
                    span + 2,
                    format!("an interval is one to two numbers up to {REPEAT_MAX}, such as {{2,5}}"),
                )),
            },
        };
        let interval = match (count(low, 0)?, high) {
            (low, None) => format!("{{{low}}}"),
            (low, Some("")) => format!("{{{low},}}"),
            (low, Some(high)) => {
                let high = count(high, 0)?;
                if high < low {
                    return Err(self
                        .error(span + 2, format!("the interval ends at {high}, before it begins at {low}")));
                }
                format!("{{{low},{high}}}")
            }
        };
        self.repeat(span + 2, &interval)
    }

    /// Puts a repetition operator that takes `len` bytes of the text behind the atom.
    fn repeat(&mut self, len: usize, operator: &str) -> Result<(), PatternError> {
        let Some(atom) = self.atom else {
            let given = &self.text[self.at..self.at + len];
            return Err(self.error(
                len,
                format!("nothing stands before {given} that could be repeated; .* is any text, [{given}] the character itself"),
            ));
        };
        if self.repeated >= STACKED_MAX {
            return Err(self.error(len, format!("more than {STACKED_MAX} repetitions of the same thing")));
        }
        // To that crate "a*?" would be a lazy star; to POSIX it is an optional "a*".
        if self.repeated > 0 {
            self.out.insert_str(atom, "(?:");
            self.out.push(')');
        }
        self.out.push_str(operator);
        self.repeated += 1;
        match self.tokens.as_mut().and_then(|tokens| tokens.last_mut()) {
            Some(last) if *last == Token::Any && operator == "*" => *last = Token::Gap,
            _ => self.tokens = None,
        }
        self.at += len;
        Ok(())
    }

    fn bracket(&mut self) -> Result<(), PatternError> {
        let bracket = Bracket::read(self.text, self.at)?;
        self.begin_atom();
        bracket.write(&mut self.out);
        self.tokens = None;
        self.at = bracket.end;
        Ok(())
    }

    fn character(&mut self, character: char) {
        self.begin_atom();
        push_char(&mut self.out, character);
        if let Some(tokens) = &mut self.tokens {
            tokens.extend(character.encode_utf8(&mut [0; 4]).bytes().map(Token::Byte));
        }
    }

    fn begin_atom(&mut self) {
        self.atom = Some(self.out.len());
        self.repeated = 0;
    }

    fn no_atom(&mut self) {
        self.atom = None;
        self.repeated = 0;
    }

    fn operator(&mut self) {
        self.no_atom();
        self.tokens = None;
    }

    fn error(&self, len: usize, message: String) -> PatternError {
        PatternError { at: self.at, len, message }
    }

    fn finish(self) -> Result<Ere, PatternError> {
        if let Some((_, at)) = self.open.last() {
            return Err(PatternError {
                at: *at,
                len: 1,
                message: "this group is not closed: expected ); write [(] for a parenthesis itself".into(),
            });
        }
        Ok(Ere {
            regex: self.out,
            tokens: self.tokens,
            anchored_start: self.anchored_start,
            anchored_end: self.anchored_end,
            back_references: self.back_references,
        })
    }
}

/// Writes a character so that it stands for itself. One outside ASCII becomes a group of its bytes. Only what needs an
/// escape has one: they take most of the time to read.
fn push_char(out: &mut String, character: char) {
    if character.is_ascii() {
        match character {
            character if character.is_ascii_control() => push_byte(out, character as u8),
            character if regex_syntax::is_meta_character(character) => out.extend(['\\', character]),
            character => out.push(character),
        }
        return;
    }
    out.push_str("(?:");
    for byte in character.encode_utf8(&mut [0; 4]).bytes() {
        push_byte(out, byte);
    }
    out.push(')');
}

fn push_byte(out: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push_str("\\x");
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

/// Writes a byte into a bracket expression.
fn push_member(out: &mut String, byte: u8) {
    match byte.is_ascii_alphanumeric() {
        true => out.push(char::from(byte)),
        false => push_byte(out, byte),
    }
}

/// `[…]`: the ASCII characters in it, and those beyond one by one.
struct Bracket {
    set: [bool; 128],
    others: Vec<char>,
    negated: bool,
    /// Offset behind the closing bracket.
    end: usize,
}

impl Bracket {
    fn read(text: &str, start: usize) -> Result<Bracket, PatternError> {
        let mut bracket = Bracket { set: [false; 128], others: Vec::new(), negated: false, end: start + 1 };
        if text[bracket.end..].starts_with('^') {
            bracket.negated = true;
            bracket.end += 1;
        }
        let first = bracket.end;
        loop {
            let at = bracket.end;
            let rest = &text[at..];
            // A closing bracket in the first place is a member.
            if rest.starts_with(']') && at > first {
                bracket.end += 1;
                break;
            }
            if rest.starts_with("[:") {
                bracket.class(text)?;
                continue;
            }
            let low = bracket.member(text, start)?;
            let rest = &text[bracket.end..];
            // A hyphen in the last place is a member.
            if !rest.starts_with('-') || rest.starts_with("-]") {
                bracket.add(low);
                continue;
            }
            bracket.end += 1;
            let high = bracket.member(text, start)?;
            let span = bracket.end - at;
            if !low.is_ascii() || !high.is_ascii() {
                let message = "a range can only stand between two ASCII characters".into();
                return Err(PatternError { at, len: span, message });
            }
            if high < low {
                return Err(PatternError {
                    at,
                    len: span,
                    message: format!("the range ends at {high}, before it begins at {low}"),
                });
            }
            (low..=high).for_each(|character| bracket.add(character));
            let rest = &text[bracket.end..];
            if rest.starts_with('-') && !rest.starts_with("-]") {
                let message = "a range cannot begin where another one ends; put a hyphen itself last".into();
                return Err(PatternError { at, len: span + 1, message });
            }
        }
        if bracket.negated && !bracket.others.is_empty() {
            return Err(PatternError {
                at: start,
                len: bracket.end - start,
                message: "only ASCII characters can be excluded by [^…]".into(),
            });
        }
        Ok(bracket)
    }

    /// One character, plain, as `[.c.]` or as `[=c=]`.
    fn member(&mut self, text: &str, start: usize) -> Result<char, PatternError> {
        let at = self.end;
        let rest = &text[at..];
        for (open, close) in [("[.", ".]"), ("[=", "=]")] {
            let Some(inner) = rest.strip_prefix(open) else { continue };
            let mut characters = inner.chars();
            match characters.next() {
                Some(character) if characters.as_str().starts_with(close) => {
                    self.end += open.len() + character.len_utf8() + close.len();
                    return Ok(character);
                }
                _ => {
                    let message = format!("expected one character between {open} and {close}");
                    return Err(PatternError { at, len: open.len(), message });
                }
            }
        }
        match rest.chars().next() {
            Some(character) => {
                self.end += character.len_utf8();
                Ok(character)
            }
            None => Err(PatternError {
                at: start,
                len: text.len() - start,
                message: "the bracket expression is not closed: expected ]; write [[] for a bracket itself"
                    .into(),
            }),
        }
    }

    /// `[:name:]`
    fn class(&mut self, text: &str) -> Result<(), PatternError> {
        let at = self.end;
        let inner = &text[at + 2..];
        let span = inner.bytes().take_while(u8::is_ascii_alphabetic).count();
        let holds: fn(&u8) -> bool = match &inner[..span] {
            "alnum" => u8::is_ascii_alphanumeric,
            "alpha" => u8::is_ascii_alphabetic,
            "blank" => |byte| matches!(byte, b' ' | b'\t'),
            "cntrl" => u8::is_ascii_control,
            "digit" => u8::is_ascii_digit,
            "graph" => u8::is_ascii_graphic,
            "lower" => u8::is_ascii_lowercase,
            "print" => |byte| matches!(byte, b' '..=b'~'),
            "punct" => u8::is_ascii_punctuation,
            "space" => |byte| matches!(byte, b' ' | b'\t'..=b'\r'),
            "upper" => u8::is_ascii_uppercase,
            "xdigit" => u8::is_ascii_hexdigit,
            _ => {
                return Err(PatternError {
                    at,
                    len: span + 2,
                    message: "expected a class: alnum, alpha, blank, cntrl, digit, graph, lower, print, punct, space, \
                              upper or xdigit, such as [[:alpha:]]"
                        .into(),
                });
            }
        };
        if !inner[span..].starts_with(":]") {
            return Err(PatternError {
                at,
                len: span + 2,
                message: "expected :] at the end of the class".into(),
            });
        }
        (0..128).filter(holds).for_each(|byte| self.set[usize::from(byte)] = true);
        self.end += 2 + span + 2;
        Ok(())
    }

    fn add(&mut self, character: char) {
        match self.set.get_mut(character as usize) {
            Some(member) => *member = true,
            None => self.others.push(character),
        }
    }

    fn write(&self, out: &mut String) {
        // `[.]` is only another way to write a character.
        if !self.negated && self.others.is_empty() && self.set.iter().filter(|member| **member).count() == 1 {
            (0..128)
                .filter(|byte| self.set[usize::from(*byte)])
                .for_each(|byte| push_char(out, char::from(byte)));
            return;
        }
        let alternatives = !self.others.is_empty();
        if alternatives {
            out.push_str("(?:");
            for character in &self.others {
                push_char(out, *character);
                out.push('|');
            }
        }
        if !alternatives || self.set.contains(&true) {
            out.push_str(if self.negated { "[^" } else { "[" });
            let mut byte = 0;
            while byte < 128 {
                if !self.set[byte] {
                    byte += 1;
                    continue;
                }
                let first = byte;
                while byte < 128 && self.set[byte] {
                    byte += 1;
                }
                push_member(out, first as u8);
                if byte - first > 1 {
                    out.push('-');
                    push_member(out, (byte - 1) as u8);
                }
            }
            out.push(']');
        } else {
            // The last alternative's bar has nothing behind it.
            out.pop();
        }
        if alternatives {
            out.push(')');
        }
    }
}
