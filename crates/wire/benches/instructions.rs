//! What the codec does per message, to be counted in instructions.
//!
//! `instructions NAME COUNT` does one thing COUNT times; callgrind counts the whole process, and the difference of
//! two counts is what one time costs, without start-up and without a clock. `cargo xtask bench --instructions` does
//! that for each name that `--list` prints. Without arguments everything is done once, so that it cannot rot.

use std::hint::black_box;
use std::process::ExitCode;

use wire::h1::{framing, parse, write};
use wire::{
    BodyLength, Decoded, Decoder, Encoder, HeadScanner, Kind, Limits, RequestHead, ResponseHead, Slots,
    check, hop,
};

/// Ten fields as a browser sends them.
const BROWSER: &[u8] = b"GET /index.html?a=1&b=%C3%A9 HTTP/1.1\r\n\
Host: www.example.org\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
Accept-Language: en-US,en;q=0.5\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Connection: keep-alive\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
Upgrade-Insecure-Requests: 1\r\n\
If-None-Match: \"5f3c-61a2b\"\r\n\
Cache-Control: max-age=0\r\n\
\r\n";

/// As little as a request may be.
const SHORT: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Seven fields as a file server sends them.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
Server: nginx\r\n\
Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
Content-Type: text/html; charset=utf-8\r\n\
Content-Length: 1024\r\n\
Last-Modified: Wed, 31 Dec 2025 00:00:00 GMT\r\n\
ETag: \"5f3c-61a2b\"\r\n\
Cache-Control: max-age=600\r\n\
\r\n";

/// One thing that is counted.
type Work = fn(&mut Bench);

const WORKS: [(&str, Work); 8] = [
    ("scan-request", |bench| bench.scan(BROWSER)),
    ("parse-request", |bench| bench.request(BROWSER, |_, _| {})),
    ("parse-short-request", |bench| bench.request(SHORT, |_, _| {})),
    ("check-and-frame-request", |bench| {
        bench.request(BROWSER, |head, _| {
            black_box((check::request_semantics(head), framing::request(head))).1.ok();
        });
    }),
    ("hop-by-hop-and-write-request", |bench| {
        bench.request(BROWSER, |head, out| {
            black_box(hop::remove_hop_by_hop(head.fields_mut()));
            out.clear();
            write::request_head(head, &write::Framing::of(BodyLength::None), out);
            black_box(out);
        });
    }),
    ("parse-answer", Bench::answer),
    ("decode-chunks", Bench::decode),
    ("encode-chunks", Bench::encode),
];

/// What lives between two messages, as it does on a connection.
struct Bench {
    limits: Limits,
    requests: HeadScanner,
    answers: HeadScanner,
    spare: Option<(Vec<u8>, Slots)>,
    out: Vec<u8>,
    chunked: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        Bench {
            limits: Limits::default(),
            requests: HeadScanner::new(Kind::Request),
            answers: HeadScanner::new(Kind::Response),
            spare: Some((Vec::with_capacity(4096), Slots::default())),
            out: Vec::with_capacity(4096),
            chunked: [b"1000\r\n".as_slice(), &[b'x'; 4096], b"\r\n0\r\n\r\n"].concat(),
        }
    }

    fn scan(&mut self, bytes: &[u8]) {
        self.requests.reset();
        black_box(self.requests.scan(black_box(bytes), &self.limits)).ok();
    }

    fn buffers(&mut self, bytes: &[u8]) -> (Vec<u8>, Slots) {
        let (mut buf, slots) = self.spare.take().unwrap_or_default();
        buf.extend_from_slice(black_box(bytes));
        (buf, slots)
    }

    /// A head from its bytes, and what is done with it.
    fn request(&mut self, bytes: &[u8], then: fn(&mut RequestHead, &mut Vec<u8>)) {
        let (buf, slots) = self.buffers(bytes);
        if let Ok(mut head) = parse::request(buf, slots, &self.limits) {
            then(&mut head, &mut self.out);
            self.spare = Some(head.recycle());
        }
    }

    fn answer(&mut self) {
        self.answers.reset();
        black_box(self.answers.scan(black_box(ANSWER), &self.limits)).ok();
        let (buf, slots) = self.buffers(ANSWER);
        self.spare = parse::response(buf, slots, &self.limits).ok().map(ResponseHead::recycle);
    }

    /// A chunk of 4 KiB and the end.
    fn decode(&mut self) {
        let mut decoder = Decoder::new(BodyLength::Chunked);
        let mut at = 0;
        while let Ok(Decoded::Data { skip, len, .. }) =
            decoder.decode(black_box(&self.chunked[at..]), &self.limits)
        {
            decoder.consume(len);
            at += skip + len;
        }
    }

    fn encode(&mut self) {
        let mut encoder = Encoder::new(BodyLength::Chunked);
        self.out.clear();
        black_box(encoder.frame(black_box(4096), None));
        encoder.finish(None, &mut self.out).ok();
        black_box(&self.out);
    }
}

fn main() -> ExitCode {
    // Cargo adds `--bench` when it runs this itself.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut bench = Bench::new();
    match words.as_slice() {
        ["--list"] => WORKS.iter().for_each(|(name, _)| println!("{name}")),
        [name, count] => {
            let work = WORKS.iter().find(|(known, _)| known == name);
            let (Some((_, work)), Ok(count)) = (work, count.parse::<u32>()) else {
                eprintln!("there is no `{name}`, or `{count}` is no number");
                return ExitCode::FAILURE;
            };
            for _ in 0..count {
                work(&mut bench);
            }
        }
        _ => WORKS.iter().for_each(|(_, work)| work(&mut bench)),
    }
    ExitCode::SUCCESS
}
