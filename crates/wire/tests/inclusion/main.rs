//! Every line that the codec accepts is a line of the RFCs' grammar: shown by automata, complete and not sampled.
//!
//! What is proved. For request lines, status lines, field lines, chunk-size lines and origin-form targets:
//!
//! 1. The automaton of what the code accepts is taken from the code itself, through its public functions
//!    ([`automaton::Machine::of`]). No grammar is written down for it, so none can be written down wrongly.
//! 2. The strict grammar of RFC 9112, 9110 and 3986 is a regular expression, compiled to an automaton by
//!    `regex-automata`.
//! 3. A walk over all reachable pairs of states, with all 256 bytes, finds no word that the first accepts and the second
//!    does not. Where our grammar is meant to be exactly the RFC's, or to go beyond it by a named liberty, equality
//!    with that language is shown by the same walk.
//!
//! What is assumed. The automaton of step 1 is exact if the code tells apart no more situations than it has states,
//! and also if it tells apart one more and treats no byte in a way of its own that is not in [`fine`] (Chow, 1978;
//! [`automaton::Machine::of`] says it precisely; [`every`] byte for the smaller grammars). The code is a handful of scans for a class of bytes, one after the
//! other, each without memory but its place; a hole beyond this bound would have to wait for a particular sequence of
//! bytes that no state and no separating suffix contains. Lengths are such memory, as [`Limits`] count bytes: they are
//! set out of reach here, which can only add to what is accepted, since each of them is used in a comparison that refuses
//! and nowhere else. `METHOD_MAX` and `CHUNK_DIGITS_MAX` are constants; the automata count up to them. A line ends at its
//! first CRLF, for the code as for the RFC, so words that hold a CRLF are no lines.
//!
//! Beyond the lines: that a head is a start line, field lines and an empty line, and which combination of them states
//! which framing, is not regular in a useful way and is covered by `small_model.rs`.

mod automaton;

use automaton::{Grammar, Machine, difference, outside};
use wire::h1::limits::{CHUNK_DIGITS_MAX, METHOD_MAX};
use wire::h1::parse;
use wire::target::{self, RequestTarget};
use wire::{BodyLength, Decoded, Decoder, Limits, Method, Slots};

/// Bytes of a class that are tried around every byte.
const DEPTH: usize = 1;

/// The same for grammars of few states, where more is cheap.
const DEEP: usize = 2;

/// Every byte.
fn every() -> Vec<u8> {
    (0..=255).collect()
}

/// A byte for each way in which a byte could be special: all controls, blanks, punctuation and digits, the letters of
/// `HTTP`, hexadecimal and other letters in both cases, DEL, and 8-bit bytes that Unicode or Latin-1 call a line end or
/// a space.
fn fine() -> Vec<u8> {
    let letters = |byte: &u8| byte.is_ascii_alphabetic() && !b"HTPafzAFZ".contains(byte);
    (0..=0x80).filter(|byte| !letters(byte)).chain([0x85, 0xa0, 0xc2, 0xe2, 0xff]).collect()
}

const TCHAR: &str = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]";

/// VCHAR and obs-text: what clients put into targets.
const VISIBLE: &str = r"[\x21-\x7e\x80-\xff]";

/// HTAB, SP, VCHAR and obs-text: what RFC 9110 section 5.5 lets stand in a field value.
const VALUE: &str = r"[\t\x20-\x7e\x80-\xff]";

fn unlimited() -> Limits {
    const MUCH: usize = 1 << 30;
    Limits {
        head_max: MUCH,
        line_max: MUCH,
        target_max: MUCH,
        fields_max: MUCH,
        chunk_line_max: MUCH,
        chunk_ext_total_max: MUCH,
        trailer_max: MUCH,
        trailer_fields_max: MUCH,
        ..Limits::default()
    }
}

fn is_line(word: &[u8]) -> bool {
    !word.windows(2).any(|pair| pair == b"\r\n")
}

fn request_line(word: &[u8]) -> bool {
    let head = [word, b"\r\n\r\n"].concat();
    is_line(word)
        && parse::request(head, Slots::default(), &unlimited())
            .is_ok_and(|head| head.line() == word && head.fields().is_empty())
}

fn status_line(word: &[u8]) -> bool {
    let head = [word, b"\r\n\r\n"].concat();
    is_line(word)
        && parse::response(head, Slots::default(), &unlimited())
            .is_ok_and(|head| head.line() == word && head.fields().is_empty())
}

fn field_line(word: &[u8]) -> bool {
    let head = [b"GET / HTTP/1.1\r\n", word, b"\r\n\r\n"].concat();
    is_line(word)
        && parse::request(head, Slots::default(), &unlimited()).is_ok_and(|head| head.fields().len() == 1)
}

fn chunk_line(word: &[u8]) -> bool {
    let mut decoder = Decoder::new(BodyLength::Chunked);
    let line = [word, b"\r\n"].concat();
    // Taken whole, with nothing of it left for data or trailers.
    is_line(word) && decoder.decode(&line, &unlimited()) == Ok(Decoded::NeedMore { skip: line.len() })
}

fn origin_form(word: &[u8]) -> bool {
    matches!(target::classify(word, Method::Get), Ok(RequestTarget::Origin { .. }))
}

/// Fails with the word that disproves the claim.
fn none(word: Option<Vec<u8>>) {
    assert!(word.is_none(), "{:?}", word.map(|word| word.escape_ascii().to_string()));
}

#[test]
fn request_lines_are_those_of_rfc_9112_section_3() {
    let longest = ["M".repeat(METHOD_MAX).as_bytes(), b" / HTTP/1.1"].concat();
    let machine = Machine::of(&request_line, &[b"GET / HTTP/1.1", b"A * HTTP/1.0", &longest], DEPTH, &fine());
    // Method and version as in the RFC; the target is narrowed down by `target::classify`, see below.
    none(outside(&machine, &Grammar::new(&format!(r"{TCHAR}+ {VISIBLE}+ HTTP/[0-9]\.[0-9]"))));
    none(difference(&machine, &Grammar::new(&format!(r"{TCHAR}{{1,{METHOD_MAX}}} {VISIBLE}+ HTTP/1\.[01]"))));
}

#[test]
fn status_lines_are_those_of_rfc_9112_section_4_but_for_one_space() {
    let machine = Machine::of(&status_line, &[b"HTTP/1.1 200 OK", b"HTTP/1.0 999"], DEPTH, &fine());
    let strict = format!(r"HTTP/[0-9]\.[0-9] [0-9]{{3}} {VALUE}*");
    let without_space = r"HTTP/1\.[01] [1-9][0-9]{2}";
    none(outside(&machine, &Grammar::new(&format!("(?:{strict})|(?:{without_space})"))));
    none(difference(&machine, &Grammar::new(&format!(r"HTTP/1\.[01] [1-9][0-9]{{2}}(?: {VALUE}*)?"))));
}

#[test]
fn field_lines_are_those_of_rfc_9112_section_5() {
    let machine = Machine::of(&field_line, &[b"Name: value"], DEEP, &every());
    // `field-value` begins and ends with a visible byte or is empty; the blanks around it are the line's own.
    let value = format!(r"(?:{VISIBLE}(?:{VALUE}*{VISIBLE})?)?");
    none(difference(&machine, &Grammar::new(&format!(r"{TCHAR}+:[ \t]*{value}[ \t]*"))));
    assert!(machine.access.len() <= 6, "{} states", machine.access.len());
}

#[test]
fn chunk_lines_are_those_of_rfc_9112_section_7_1() {
    let machine = Machine::of(
        &chunk_line,
        &[b"0000000000000000", b"7fffffffffffffff;a", br#"5 ; a = b ; c="d\"e" ; f"#],
        DEPTH,
        &fine(),
    );
    let quoted = r#""(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*""#;
    let extension = format!(r"(?:[ \t]*;[ \t]*{TCHAR}+(?:[ \t]*=[ \t]*(?:{TCHAR}+|{quoted}))?)*");
    none(outside(&machine, &Grammar::new(&format!("[0-9A-Fa-f]+{extension}"))));
    // And everything of it up to the bound: sixteen digits, of which the first of sixteen is below eight.
    let fewer = CHUNK_DIGITS_MAX - 1;
    let size = format!("(?:[0-9A-Fa-f]{{1,{fewer}}}|[0-7][0-9A-Fa-f]{{{fewer}}})");
    none(difference(&machine, &Grammar::new(&format!("{size}{extension}"))));
}

#[test]
fn origin_form_targets_are_visible_bytes_less_what_hides_something() {
    let machine = Machine::of(&origin_form, &[b"/a%41?b%41", b"/?{", b"/%u4e2d?%u4e2d"], DEEP, &every());
    // All that clients send raw: whatever is visible, but the number sign that would begin a fragment.
    let liberal = r"/[\x21\x22\x24-\x7e\x80-\xff]*";
    none(outside(&machine, &Grammar::new(liberal)));
    // A path has no question mark and does not end within an escape; nowhere are there escapes of NUL or of the form
    // %uXXXX for what is below U+0100. What follows a percent sign, as far as that matters:
    let byte = r"[\x21\x22\x24\x26-\x3e\x40-\x7e\x80-\xff]";
    let whole = r"%[0-9A-Fa-f]{2}";
    let strict = format!(r"/(?:{byte}|{whole})*(?:\?(?:{byte}|{whole}|\?)*)?");
    let without = |word: &[u8]| {
        origin_form(word)
            && word.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(at, _)| {
                word.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            })
    };
    none(outside(&Machine::of(&without, &[b"/a%41?b%41", b"/?{"], DEEP, &every()), &Grammar::new(&strict)));
    for refused in
        [&b"/%00"[..], b"/?%00", b"/%u0000", b"/%u0041", b"/?%U00ff", b"/%", b"/%4", b"/%4?", b"/a#", b"/ "]
    {
        assert!(!origin_form(refused), "{}", refused.escape_ascii());
    }
}

/// The method of proof finds what it must find, here a hole that opens after one particular byte.
#[test]
fn a_hole_in_a_grammar_is_found() {
    let lax = |word: &[u8]| {
        let at = word.windows(2).position(|pair| pair == b"\x85\n");
        field_line(word) || at.is_some_and(|at| field_line(&[&word[..at], b"aa", &word[at + 2..]].concat()))
    };
    let machine = Machine::of(&lax, &[b"Name: value"], DEEP, &every());
    let found = outside(&machine, &Grammar::new(&format!(r"{TCHAR}+:{VALUE}*")));
    assert!(found.is_some_and(|word| lax(&word) && !field_line(&word)));
}
