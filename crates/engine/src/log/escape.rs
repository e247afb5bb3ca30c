//! Bytes of the network as they stand in a log line.

/// Appends `bytes` so that they can neither end the line nor a quoted part of it: visible ASCII and space as they are,
/// quote and backslash with a backslash before them, all else as `\xHH`.
pub(super) fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\' {
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

/// As [`escape`]; `-` for nothing.
pub(super) fn escape_or_dash(bytes: &[u8], out: &mut Vec<u8>) {
    if bytes.is_empty() { out.push(b'-') } else { escape(bytes, out) }
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
