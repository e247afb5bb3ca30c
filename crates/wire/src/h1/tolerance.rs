//! Answers of back-ends that break HTTP/1 in ways which their operator knows of: put right before they are parsed.
//!
//! The parser knows one grammar. For a back-end that was given some [`Tolerance`], its heads are rewritten here to what that
//! grammar allows, and then parsed like all others; so whatever is repaired, there is still one reading, and strict bytes go
//! on to the client. Requests never come here: a client that breaks HTTP is refused.

use super::limits::Tolerance;
use crate::token;

/// Rewrites a whole head of an answer, as a scanner with the same tolerance has measured it. What is not tolerated, or makes
/// no sense even so, stays as it is, for the parser to refuse.
pub(super) fn repair(head: &[u8], tolerance: Tolerance) -> Vec<u8> {
    // A line that ends with LF alone grows by a byte.
    let mut out = Vec::with_capacity(head.len() + 64);
    let mut lines = lines(head).peekable();
    if let Some(status_line) = lines.next() {
        put(status_line, &mut out);
    }
    let mut lengths = None;
    let mut joined = Vec::new();
    while let Some(line) = lines.next() {
        joined.clear();
        joined.extend_from_slice(line);
        while tolerance.folds
            && !line.is_empty()
            && !is_fold(line)
            && lines.peek().is_some_and(|next| is_fold(next))
        {
            // RFC 9112 section 5.2: one or more spaces take the place of a fold.
            joined.truncate(token::trim_end(&joined).len());
            joined.push(b' ');
            joined.extend_from_slice(token::trim(lines.next().unwrap_or_default()));
        }
        field(&joined, tolerance, &mut lengths, &mut out);
    }
    out
}

fn field(line: &[u8], tolerance: Tolerance, lengths: &mut Option<Vec<u8>>, out: &mut Vec<u8>) {
    let Some(colon) = memchr::memchr(b':', line) else { return put(line, out) };
    let (before, value) = (&line[..colon], token::trim(&line[colon + 1..]));
    let name = if tolerance.colon_blanks { token::trim_end(before) } else { before };
    if tolerance.equal_lengths && name.eq_ignore_ascii_case(b"Content-Length") {
        let mut members = value.split(|&byte| byte == b',').map(token::trim);
        let first = members.next().unwrap_or_default();
        let equal = members.all(|member| member == first);
        match lengths {
            Some(before) if equal && before == first => return,
            _ if equal => {
                lengths.get_or_insert_with(|| first.to_vec());
                return put(&[name, b": ", first].concat(), out);
            }
            _ => {}
        }
    }
    if tolerance.identity && name.eq_ignore_ascii_case(b"Transfer-Encoding") {
        let is_identity = |member: &&[u8]| member.eq_ignore_ascii_case(b"identity");
        if token::list(value).any(|member| is_identity(&member)) {
            let others: Vec<&[u8]> = token::list(value).filter(|member| !is_identity(member)).collect();
            if !others.is_empty() {
                put(&[name, b": ", &others.join(&b", "[..])].concat(), out);
            }
            return;
        }
    }
    put(&[name, &line[colon..]].concat(), out);
}

fn is_fold(line: &[u8]) -> bool {
    matches!(line, [b' ' | b'\t', ..])
}

fn put(line: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(line);
    out.extend_from_slice(b"\r\n");
}

/// Lines without their ends, whichever these are.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split_inclusive(|&byte| byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    })
}

#[cfg(test)]
mod tests;
