//! What the origin answers: bytes to send now, and how many of the endless filler after them.

use std::io::Write;

/// The small answer, whole: the size of a short JSON document.
const SMALL: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\nContent-Length: 64\r\n\r\n\
    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The same to a client that wants the connection closed after it, and is told that it will be.
const SMALL_CLOSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\nConnection: close\r\n\
    Content-Length: 64\r\n\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What large bodies are made of; also the most that one write carries.
pub(crate) static FILLER: [u8; 256 * 1024] = [b'x'; 256 * 1024];

/// The size of a chunk in a chunked answer, in bytes.
const CHUNK: usize = 4096;

/// The longest chunked answer, in bytes: it is built whole.
const CHUNKED_MAX: usize = 1 << 20;

/// Appends the answer for `target` to `out`; gives back how many bytes of filler follow.
pub(crate) fn write(out: &mut Vec<u8>, target: &[u8], head: &[u8], received: u64, close: bool) -> u64 {
    if target == b"/" {
        out.extend_from_slice(if close { SMALL_CLOSE } else { SMALL });
        return 0;
    }
    if let Some(size) = number_after(target, b"/bytes/") {
        plain(out, size);
        return size;
    }
    if let Some(size) = number_after(target, b"/chunked/") {
        chunked(out, usize::try_from(size).unwrap_or(CHUNKED_MAX).min(CHUNKED_MAX));
        return 0;
    }
    if target == b"/head" {
        plain(out, head.len() as u64);
        out.extend_from_slice(head);
        return 0;
    }
    if received == 0 {
        out.extend_from_slice(SMALL);
    } else {
        let text = format!("{received}\n");
        plain(out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    0
}

fn plain(out: &mut Vec<u8>, size: u64) {
    // A Vec takes every write.
    let _ = write!(
        out,
        "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\nContent-Length: {size}\r\n\r\n"
    );
}

fn chunked(out: &mut Vec<u8>, size: usize) {
    out.extend_from_slice(
        b"HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    let mut left = size;
    while left > 0 {
        let here = left.min(CHUNK);
        let _ = write!(out, "{here:x}\r\n");
        out.extend_from_slice(&FILLER[..here]);
        out.extend_from_slice(b"\r\n");
        left -= here;
    }
    out.extend_from_slice(b"0\r\n\r\n");
}

fn number_after(target: &[u8], prefix: &[u8]) -> Option<u64> {
    std::str::from_utf8(target.strip_prefix(prefix)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_answer_has_the_length_it_tells() {
        for answer in [SMALL, SMALL_CLOSE] {
            let body = memchr::memmem::find(answer, b"\r\n\r\n").unwrap() + 4;
            assert_eq!(answer.len() - body, 64);
        }
    }

    #[test]
    fn sized_answers_leave_the_body_to_the_filler() {
        let mut out = Vec::new();
        assert_eq!(write(&mut out, b"/bytes/1048576", b"", 0, false), 1 << 20);
        assert!(out.ends_with(b"Content-Length: 1048576\r\n\r\n"));
    }
}
