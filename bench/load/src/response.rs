//! Reading answers: their status, and where their bodies end.

use memchr::{memchr, memmem};

/// The longest head of an answer, in bytes.
const HEAD_MAX: usize = 16 * 1024;

/// How much of an answer is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Head,
    Length(u64),
    /// In a chunk's size line: the size so far, whether its digits go on.
    Size(u64, bool),
    /// In a chunk's data and the line end after it.
    Data(u64),
    /// In the trailer section, with the length of its current line so far.
    Trailer(usize),
    UntilClose,
}

/// What some bytes brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    More,
    /// The answer is whole.
    Done,
    /// This is no answer, or more than was asked for.
    Broken,
}

/// An answer being read.
pub(crate) struct Response {
    rest: Rest,
    /// The start of a head that has not come whole.
    partial: Vec<u8>,
    /// Whether the server ends the connection after it.
    pub(crate) close: bool,
    /// The status code of the head read last.
    pub(crate) status: u16,
}

impl Response {
    pub(crate) fn new() -> Self {
        Response { rest: Rest::Head, partial: Vec::new(), close: false, status: 0 }
    }

    /// Whether the end of the connection is the end of the answer.
    pub(crate) fn ends_with_connection(&self) -> bool {
        self.rest == Rest::UntilClose
    }

    /// Reads on.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Progress {
        if self.rest != Rest::Head {
            return self.body(bytes);
        }
        if self.partial.is_empty() {
            return self.head(bytes);
        }
        let mut whole = std::mem::take(&mut self.partial);
        whole.extend_from_slice(bytes);
        self.head(&whole)
    }

    fn head(&mut self, bytes: &[u8]) -> Progress {
        let Some(length) = memmem::find(bytes, b"\r\n\r\n") else {
            if bytes.len() > HEAD_MAX {
                return Progress::Broken;
            }
            self.partial.extend_from_slice(bytes);
            return Progress::More;
        };
        let (head, body) = (&bytes[..length + 2], &bytes[length + 4..]);
        let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        let Some(status) = status.filter(|_| head.starts_with(b"HTTP/1.")) else { return Progress::Broken };
        self.status = status;
        if (100..200).contains(&status) {
            // An interim answer: the real one follows.
            return if body.is_empty() { Progress::More } else { self.head(body) };
        }
        self.close = head.starts_with(b"HTTP/1.0");
        self.rest = if matches!(status, 204 | 304) { Rest::Length(0) } else { Rest::UntilClose };
        let mut lines = &head[memchr(b'\n', head).unwrap_or(0) + 1..];
        while let Some(end) = memchr(b'\r', lines) {
            self.field(&lines[..end]);
            lines = &lines[end + 2..];
        }
        self.body(body)
    }

    fn field(&mut self, line: &[u8]) {
        let Some(colon) = memchr(b':', line) else { return };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            self.rest = number.map_or(Rest::UntilClose, Rest::Length);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.rest = Rest::Size(0, true);
        } else if name.eq_ignore_ascii_case(b"connection") {
            if value.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if value.eq_ignore_ascii_case(b"keep-alive") {
                self.close = false;
            }
        }
    }

    fn body(&mut self, bytes: &[u8]) -> Progress {
        let mut bytes = bytes;
        loop {
            match self.rest {
                Rest::Length(left) => {
                    let here = left.min(bytes.len() as u64);
                    if here < left {
                        self.rest = Rest::Length(left - here);
                        return Progress::More;
                    }
                    return self.end(&bytes[here as usize..]);
                }
                Rest::UntilClose => return Progress::More,
                Rest::Data(left) => {
                    let here = left.min(bytes.len() as u64);
                    bytes = &bytes[here as usize..];
                    if here < left {
                        self.rest = Rest::Data(left - here);
                        return Progress::More;
                    }
                    self.rest = Rest::Size(0, true);
                }
                Rest::Size(size, digits) => {
                    let Some((&byte, more)) = bytes.split_first() else { return Progress::More };
                    bytes = more;
                    self.rest = match byte {
                        b'\n' if size == 0 => Rest::Trailer(0),
                        // The line end after the data is counted with it.
                        b'\n' => Rest::Data(size + 2),
                        _ => match char::from(byte).to_digit(16) {
                            Some(digit) if digits => {
                                Rest::Size(size.saturating_mul(16) + u64::from(digit), true)
                            }
                            _ => Rest::Size(size, false),
                        },
                    };
                }
                Rest::Trailer(length) => {
                    let Some((&byte, more)) = bytes.split_first() else { return Progress::More };
                    bytes = more;
                    match byte {
                        b'\n' if length == 0 => return self.end(bytes),
                        b'\n' => self.rest = Rest::Trailer(0),
                        b'\r' => {}
                        _ => self.rest = Rest::Trailer(length + 1),
                    }
                }
                Rest::Head => return Progress::Broken,
            }
        }
    }

    fn end(&mut self, behind: &[u8]) -> Progress {
        self.rest = Rest::Head;
        if behind.is_empty() { Progress::Done } else { Progress::Broken }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_however_the_bytes_are_cut() {
        let answers: [&[u8]; 3] = [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\na;x\r\n0123456789\r\n0\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        ];
        for answer in answers {
            for cut in 1..answer.len() {
                let mut response = Response::new();
                assert_eq!(response.take(&answer[..cut]), Progress::More, "{cut}");
                assert_eq!(response.take(&answer[cut..]), Progress::Done, "{cut}");
            }
        }
    }

    #[test]
    fn bytes_nobody_asked_for_are_an_error() {
        let mut response = Response::new();
        assert_eq!(response.take(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxy"), Progress::Broken);
    }
}
