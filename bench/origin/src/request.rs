//! Reading a request, as far as an origin for benchmarks must understand it.

use memchr::{memchr, memmem};

/// What follows a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Nothing, or so many bytes.
    Length(u64),
    /// Chunks, read by a [`Chunks`].
    Chunked,
}

/// The parts of a request's head that decide something here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    /// The target as it stands in the request line.
    pub(crate) target: &'a [u8],
    /// What follows the head.
    pub(crate) body: Body,
    /// Whether the connection ends after the answer.
    pub(crate) close: bool,
    /// Whether the client waits for `100 Continue`.
    pub(crate) expects: bool,
    /// The length of the head with its empty line, in bytes.
    pub(crate) length: usize,
}

/// Reads one head from the start of `bytes`; nothing if it is not whole yet.
pub(crate) fn parse(bytes: &[u8]) -> Option<Request<'_>> {
    let length = memmem::find(bytes, b"\r\n\r\n")? + 4;
    let head = &bytes[..length - 2];
    let line_end = memchr(b'\r', head)?;
    let line = &head[..line_end];
    let start = memchr(b' ', line)? + 1;
    let end = line.len().checked_sub(" HTTP/1.x".len())?;
    let old = line.ends_with(b"1.0");
    let mut request =
        Request { target: line.get(start..end)?, body: Body::Length(0), close: old, expects: false, length };
    let mut rest = &head[line_end + 2..];
    while let Some(end) = memchr(b'\r', rest) {
        field(&rest[..end], &mut request);
        rest = &rest[end + 2..];
    }
    Some(request)
}

/// Takes note of one field line, if it is one of those that matter.
fn field(line: &[u8], request: &mut Request<'_>) {
    // Most lines are told by their first letter and need no look at the name.
    if !matches!(line.first(), Some(b'C' | b'c' | b'T' | b't' | b'E' | b'e')) {
        return;
    }
    let Some(colon) = memchr(b':', line) else { return };
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if name.eq_ignore_ascii_case(b"content-length") {
        let digits = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
        request.body = Body::Length(digits.unwrap_or(0));
    } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
        request.body = Body::Chunked;
    } else if name.eq_ignore_ascii_case(b"connection") {
        if value.eq_ignore_ascii_case(b"close") {
            request.close = true;
        } else if value.eq_ignore_ascii_case(b"keep-alive") {
            request.close = false;
        }
    } else if name.eq_ignore_ascii_case(b"expect") {
        request.expects = true;
    }
}

/// Where in a chunked body the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// In a size line, with the size so far and whether its digits have ended.
    Size { size: u64, digits: bool },
    /// In the data of a chunk and the line end after it, with so many bytes to come.
    Data(u64),
    /// In the trailer section, with the length of its current line so far.
    Trailer(usize),
    /// Behind the body.
    Done,
}

impl Chunks {
    /// Before the first chunk.
    pub(crate) const START: Chunks = Chunks::Size { size: 0, digits: true };

    /// Reads on; gives back how many bytes of `bytes` belonged to the body and how many of those were data.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> (usize, u64) {
        let (mut at, mut data) = (0, 0);
        while at < bytes.len() {
            match *self {
                Chunks::Done => break,
                Chunks::Data(left) => {
                    let here = left.min((bytes.len() - at) as u64);
                    // The two bytes of the line end are counted with the data that precedes them.
                    data += here.min(left.saturating_sub(2));
                    at += usize::try_from(here).unwrap_or(bytes.len());
                    *self = if here == left { Chunks::START } else { Chunks::Data(left - here) };
                }
                Chunks::Size { size, digits } => {
                    let byte = bytes[at];
                    at += 1;
                    *self = match byte {
                        b'\n' if size == 0 => Chunks::Trailer(0),
                        b'\n' => Chunks::Data(size + 2),
                        _ => match char::from(byte).to_digit(16) {
                            Some(digit) if digits => {
                                Chunks::Size { size: size.saturating_mul(16) + u64::from(digit), digits }
                            }
                            _ => Chunks::Size { size, digits: false },
                        },
                    };
                }
                Chunks::Trailer(length) => {
                    let byte = bytes[at];
                    at += 1;
                    *self = match byte {
                        b'\n' if length == 0 => Chunks::Done,
                        b'\n' => Chunks::Trailer(0),
                        b'\r' => Chunks::Trailer(length),
                        _ => Chunks::Trailer(length + 1),
                    };
                }
            }
        }
        (at, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_decides_the_answer() {
        let request =
            parse(b"POST /a HTTP/1.1\r\nHost: x\r\ncontent-LENGTH: 12\r\nConnection: close\r\n\r\nbody");
        let request = request.unwrap();
        assert_eq!(request.target, b"/a");
        assert_eq!(request.body, Body::Length(12));
        assert!(request.close);
    }

    #[test]
    fn waits_for_a_whole_head() {
        assert_eq!(parse(b"GET / HTTP/1.1\r\nHost: x\r\n"), None);
    }

    #[test]
    fn reads_chunks_cut_anywhere() {
        let body = b"4;x=1\r\nabcd\r\n10\r\n0123456789abcdef\r\n0\r\nT: v\r\n\r\n";
        for cut in 0..body.len() {
            let mut chunks = Chunks::START;
            let (first, data) = chunks.advance(&body[..cut]);
            let (second, more) = chunks.advance(&body[first..]);
            assert_eq!((chunks, first + second, data + more), (Chunks::Done, body.len(), 20), "cut at {cut}");
        }
    }
}
