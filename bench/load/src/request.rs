//! The bytes of the requests, with the number of the variant filled in.

use crate::options::Options;

/// A step that visits the variants in an order no cache line or prefetcher follows; odd and not near
/// a power of ten, so that it has no common divisor with the numbers of variants in use.
const STEP: u64 = 7_368_787;

/// The size of one chunk of a chunked upload, in bytes.
const CHUNK: usize = 4096;

/// Makes one request after the other.
pub(crate) struct Requests {
    options: Options,
    next: u64,
    /// The only request there is, when there is one variant.
    constant: Option<Vec<u8>>,
}

impl Requests {
    pub(crate) fn new(options: &Options) -> Self {
        let mut requests = Requests { options: options.clone(), next: 0, constant: None };
        if options.variants == 1 {
            let mut bytes = Vec::new();
            requests.build(0, &mut bytes);
            requests.constant = Some(bytes);
        }
        requests
    }

    /// Writes the next request (its head and, if chunked, its body) into `out`; whether there is one.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>) -> bool {
        out.clear();
        if self.options.in_turn && self.next == self.options.variants {
            return false;
        }
        let number = if self.options.in_turn { self.next } else { self.next.wrapping_mul(STEP) };
        self.next += 1;
        match &self.constant {
            Some(bytes) => out.extend_from_slice(bytes),
            None => self.build(number % self.options.variants, out),
        }
        true
    }

    /// The bytes of filler that follow each request.
    pub(crate) fn filler(&self) -> u64 {
        if self.options.chunked { 0 } else { self.options.upload }
    }

    fn build(&self, number: u64, out: &mut Vec<u8>) {
        let options = &self.options;
        let number = number.to_string();
        let upload = options.upload > 0;
        out.extend_from_slice(if upload { b"POST " } else { b"GET " });
        fill(out, &options.path, &number);
        out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
        fill(out, &options.host, &number);
        out.extend_from_slice(b"\r\n");
        if let Some(field) = &options.field {
            fill(out, field, &number);
            out.extend_from_slice(b"\r\n");
        }
        if options.close {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        if upload && options.chunked {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            let mut left = usize::try_from(options.upload).unwrap_or(usize::MAX);
            while left > 0 {
                let here = left.min(CHUNK);
                out.extend_from_slice(format!("{here:x}\r\n").as_bytes());
                out.resize(out.len() + here, b'x');
                out.extend_from_slice(b"\r\n");
                left -= here;
            }
            out.extend_from_slice(b"0\r\n\r\n");
        } else if upload {
            out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", options.upload).as_bytes());
        } else {
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn fill(out: &mut Vec<u8>, pattern: &str, number: &str) {
    match pattern.split_once("{}") {
        Some((before, behind)) => {
            out.extend_from_slice(before.as_bytes());
            out.extend_from_slice(number.as_bytes());
            out.extend_from_slice(behind.as_bytes());
        }
        None => out.extend_from_slice(pattern.as_bytes()),
    }
}
