//! Bytes of the network as they stand in a log line.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Appends `bytes` so that they can neither end the line nor a quoted part of it: visible ASCII and space as they are,
/// quote and backslash with a backslash before them, all else as `\xHH`.
pub(super) fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    // Nearly always.
    if all_plain(bytes) {
        return out.extend_from_slice(bytes);
    }
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if is_plain(byte) {
            continue;
        }
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            byte => out.extend([b'\\', b'x', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        }
    }
    out.extend_from_slice(&bytes[plain..]);
}

/// Whether a byte stands for itself.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Whether all of them do; eight at a time.
pub(super) fn all_plain(bytes: &[u8]) -> bool {
    match bytes.last_chunk() {
        // The last eight may overlap the eight before them, which have been looked at already.
        Some(last) => {
            bytes.chunks_exact(8).all(|eight| eight.try_into().is_ok_and(eight_plain)) && eight_plain(*last)
        }
        None => bytes.iter().all(|&byte| is_plain(byte)),
    }
}

/// Whether eight bytes are plain, as one number. Each term has the highest bit of some byte set if a byte is what it
/// looks for, and none set otherwise.
fn eight_plain(bytes: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let word = u64::from_ne_bytes(bytes);
    // A byte borrows from the one above it only if it is below the limit, and then the answer is known.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (word | below(word, b' ') | is(b'"') | is(b'\\') | is(0x7f)) & HIGH == 0
}

/// Appends a sentence of ours that may quote others: as [`escape`], but its quotes and backslashes are left alone.
pub(super) fn escape_sentence(bytes: &[u8], out: &mut Vec<u8>) {
    for piece in bytes.split_inclusive(|&byte| byte == b'"' || byte == b'\\') {
        match piece.split_last() {
            Some((&last @ (b'"' | b'\\'), rest)) => {
                escape(rest, out);
                out.push(last);
            }
            _ => escape(piece, out),
        }
    }
}

/// Appends `bytes` as the inside of a JSON string (RFC 8259 section 7), in ASCII alone: what carries logs cuts or changes
/// other bytes, and some of them talk to terminals. What is no UTF-8 becomes U+FFFD.
pub(super) fn escape_json(bytes: &[u8], out: &mut Vec<u8>) {
    // Nearly always.
    if all_plain(bytes) {
        return out.extend_from_slice(bytes);
    }
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match letter {
                '"' | '\\' => out.extend([b'\\', letter as u8]),
                ' '..='~' => out.push(letter as u8),
                letter => {
                    let mut units = [0; 2];
                    letter.encode_utf16(&mut units).iter().for_each(|unit| code_unit(*unit, out));
                }
            }
        }
        if !chunk.invalid().is_empty() {
            code_unit(0xfffd, out);
        }
    }
}

/// `\u00e9`
fn code_unit(unit: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(DIGITS[usize::from(unit >> shift & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_line_or_a_quote() {
        let mut out = Vec::new();
        escape(b"a \"b\" \\x\r\n\x00\x1b[2J\x7f\xc3\xa9~", &mut out);
        assert_eq!(out, br#"a \"b\" \\x\x0d\x0a\x00\x1b[2J\x7f\xc3\xa9~"#);
    }

    #[test]
    fn json_takes_any_bytes_and_stays_ascii() {
        let check = |bytes: &[u8], expect: &str| {
            let mut out = Vec::new();
            escape_json(bytes, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expect);
        };
        check(b"/a b~", "/a b~");
        check(b"a\"b\\c\td\x00\x7f", "a\\\"b\\\\c\\u0009d\\u0000\\u007f");
        check("\u{e9}\u{85}\u{2028}\u{1f600}".as_bytes(), "\\u00e9\\u0085\\u2028\\ud83d\\ude00");
        check(b"\xe9\xff|\xed\xa0\x80|\xc3", "\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|\\ufffd");
        for byte in 0..=u8::MAX {
            let mut out = Vec::new();
            escape_json(&[byte], &mut out);
            assert!(out.iter().all(|byte| matches!(byte, b' '..=b'~')), "{byte}");
        }
    }

    #[test]
    fn a_byte_that_is_not_plain_is_found_wherever_it_stands() {
        for len in 0..30 {
            for byte in 0..=u8::MAX {
                for at in 0..len {
                    // Neighbours that are as close to the limits as plain bytes come.
                    for around in [b' ', b'!', b'#', b'[', b']', b'~'] {
                        let mut bytes = vec![around; len];
                        bytes[at] = byte;
                        assert_eq!(all_plain(&bytes), is_plain(byte), "{bytes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_byte_becomes_printable_and_can_be_told_apart() {
        let mut seen = std::collections::HashSet::new();
        for byte in 0..=u8::MAX {
            let mut out = Vec::new();
            escape(&[byte], &mut out);
            assert!(out.iter().all(|byte| matches!(byte, b' '..=b'~')));
            assert!(out != b"\"");
            assert!(seen.insert(out));
        }
    }
}
