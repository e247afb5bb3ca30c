//! How long the codec takes for ordinary messages, for eyes and for commit messages.
//!
//! `cargo run --release -p wire --example timing`: each line is the fastest of several rounds on one thread, the least
//! disturbed one. Wall-clock times; compare runs on the same machine only.

use std::hint::black_box;
use std::time::Instant;

use wire::h1::{framing, parse, write};
use wire::{BodyLength, Decoded, Decoder, Encoder, HeadScanner, Kind, Limits, Slots, check, hop};

/// Ten fields as a browser sends them: 480 bytes.
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

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
Server: nginx\r\n\
Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
Content-Type: text/html; charset=utf-8\r\n\
Content-Length: 1024\r\n\
Last-Modified: Wed, 31 Dec 2025 00:00:00 GMT\r\n\
ETag: \"5f3c-61a2b\"\r\n\
Cache-Control: max-age=600\r\n\
\r\n";

/// Runs `work` in rounds and prints the fastest time of one run.
fn measure(name: &str, mut work: impl FnMut()) {
    const ROUNDS: usize = 21;
    const RUNS: u32 = 20_000;
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..RUNS {
                work();
            }
            start.elapsed().as_nanos() as f64 / f64::from(RUNS)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name:44} {:8.0} ns", times[0]);
}

fn main() {
    let limits = Limits::default();
    let mut spare = Some((Vec::with_capacity(4096), Slots::default()));

    let mut scanner = HeadScanner::new(Kind::Request);
    measure("scan a request of 10 fields", || {
        scanner.reset();
        black_box(scanner.scan(black_box(BROWSER), &limits)).ok();
    });
    measure("parse it (pooled buffers, copy included)", || {
        let (mut buf, slots) = spare.take().unwrap_or_default();
        buf.extend_from_slice(black_box(BROWSER));
        spare = parse::request(buf, slots, &limits).ok().map(wire::RequestHead::recycle);
    });
    measure("scan, parse, check, framing", || {
        scanner.reset();
        black_box(scanner.scan(black_box(BROWSER), &limits)).ok();
        let (mut buf, slots) = spare.take().unwrap_or_default();
        buf.extend_from_slice(black_box(BROWSER));
        if let Ok(head) = parse::request(buf, slots, &limits) {
            black_box((check::request_semantics(&head), framing::request(&head))).1.ok();
            spare = Some(head.recycle());
        }
    });
    let mut out = Vec::with_capacity(4096);
    measure("all that, hop-by-hop removal and writing", || {
        scanner.reset();
        black_box(scanner.scan(black_box(BROWSER), &limits)).ok();
        let (mut buf, slots) = spare.take().unwrap_or_default();
        buf.extend_from_slice(black_box(BROWSER));
        if let Ok(mut head) = parse::request(buf, slots, &limits) {
            black_box((check::request_semantics(&head), framing::request(&head))).1.ok();
            black_box(hop::remove_hop_by_hop(head.fields_mut()));
            out.clear();
            write::request_head(&head, &write::Framing::of(BodyLength::None), &mut out);
            black_box(&out);
            spare = Some(head.recycle());
        }
    });
    let mut scanner = HeadScanner::new(Kind::Response);
    measure("scan and parse an answer of 7 fields", || {
        scanner.reset();
        black_box(scanner.scan(black_box(ANSWER), &limits)).ok();
        let (mut buf, slots) = spare.take().unwrap_or_default();
        buf.extend_from_slice(black_box(ANSWER));
        spare = parse::response(buf, slots, &limits).ok().map(wire::ResponseHead::recycle);
    });
    measure("httparse: a request of 10 fields", || {
        let mut slots = [httparse::EMPTY_HEADER; 128];
        let mut request = httparse::Request::new(&mut slots);
        black_box(request.parse(black_box(BROWSER))).ok();
    });

    let chunked = [b"1000\r\n".as_slice(), &[b'x'; 4096], b"\r\n0\r\n\r\n"].concat();
    measure("decode and re-frame a chunk of 4 KiB", || {
        let mut decoder = Decoder::new(BodyLength::Chunked);
        let mut encoder = Encoder::new(BodyLength::Chunked);
        let mut at = 0;
        out.clear();
        while let Ok(Decoded::Data { skip, len, chunk_left }) =
            decoder.decode(black_box(&chunked[at..]), &limits)
        {
            decoder.consume(len);
            at += skip + len;
            black_box(encoder.frame(len, chunk_left));
        }
        encoder.finish(None, &mut out).ok();
    });
}
