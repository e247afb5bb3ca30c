//! Any bytes as a connection: what we accept, two other parsers read as the same message with the same end.
//!
//! The other two are more liberal than we are, on purpose of their authors, so what we refuse is not compared. But a
//! message that we pass on and that httparse or bhttp would read differently, or not at all, is a finding: somewhere
//! behind us stands a server that reads as they do. Both get the bytes as they came in, which is harder than the
//! canonical form that a server behind us would get.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use wire::h1::{framing, parse};
use wire::{BodyLength, Decoded, Decoder, HeadScanner, Kind, Known, Limits, RequestHead, Slots, check};

struct Ours {
    head: RequestHead,
    head_len: usize,
    length: BodyLength,
    body: Vec<u8>,
    len: usize,
}

fn ours(bytes: &[u8]) -> Option<Ours> {
    let limits = Limits::default();
    let head_len = HeadScanner::new(Kind::Request).scan(bytes, &limits).ok()??;
    let head = parse::request(bytes[..head_len].to_vec(), Slots::default(), &limits).ok()?;
    check::request_semantics(&head).ok()?;
    let length = framing::request(&head).ok()?;
    let mut decoder = Decoder::new(length);
    let (mut body, mut len) = (Vec::new(), head_len);
    loop {
        match decoder.decode(&bytes[len..], &limits).ok()? {
            Decoded::NeedMore { .. } => return None,
            Decoded::Done { skip } => return Some(Ours { head, head_len, length, body, len: len + skip }),
            Decoded::Data { skip, len: data, .. } => {
                body.extend_from_slice(&bytes[len + skip..len + skip + data]);
                decoder.consume(data);
                len += skip + data;
            }
        }
    }
}

fn against_httparse(bytes: &[u8], ours: &Ours) {
    let mut slots = [httparse::EMPTY_HEADER; 200];
    let mut theirs = httparse::Request::new(&mut slots);
    let status = theirs.parse(bytes).expect("httparse refuses what we accept");
    assert_eq!(status, httparse::Status::Complete(ours.head_len), "the head ends elsewhere");
    assert_eq!(theirs.method.map(str::as_bytes), Some(ours.head.method()));
    assert_eq!(theirs.path.map(str::as_bytes), Some(ours.head.target()));
    assert_eq!(theirs.headers.len(), ours.head.fields().len());
    for (theirs, (name, value)) in theirs.headers.iter().zip(ours.head.fields().iter()) {
        assert_eq!((theirs.name.as_bytes(), theirs.value), (name, value));
    }
    let all = |name: &str| {
        theirs.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).collect::<Vec<_>>()
    };
    // One framing, whichever of the fields another reader prefers and whichever line of them.
    match (ours.length, &all("transfer-encoding")[..], &all("content-length")[..]) {
        (BodyLength::None, [], []) => {}
        (BodyLength::Length(length), [], [field]) => {
            let text = std::str::from_utf8(field.value).expect("digits");
            assert_eq!(text.parse(), Ok(length));
        }
        (BodyLength::Chunked, [field], []) => {
            assert!(field.value.eq_ignore_ascii_case(b"chunked"));
            chunks_against_httparse(&bytes[ours.head_len..], ours);
        }
        (length, ..) => panic!("{length:?} does not follow from the fields that httparse sees"),
    }
}

fn chunks_against_httparse(input: &[u8], ours: &Ours) {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(&input[at..]) else {
            // httparse knows no quoted strings, and takes no blank or obs-text where the RFC allows one. A chunk line
            // that it does not read at all cannot be read as two things.
            return;
        };
        at += line;
        if size == 0 {
            break;
        }
        let size = usize::try_from(size).expect("as long as the input at most");
        body.extend_from_slice(&input[at..at + size]);
        at += size + 2;
    }
    assert_eq!(body, ours.body);
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let status = httparse::parse_headers(&input[at..], &mut slots).expect("httparse refuses the trailers");
    let httparse::Status::Complete((len, _)) = status else { panic!("the trailers do not end") };
    assert_eq!(ours.head_len + at + len, ours.len, "the body ends elsewhere");
}

/// bhttp reads absolute targets with a URL parser that repairs, has no empty line before a request, takes a body
/// without framing to be all that follows and stops at the first wrong thing: only what it reads is compared.
fn against_bhttp(bytes: &[u8], ours: &Ours) {
    if ours.head.fields().get(Known::TransferEncoding).is_some_and(|coding| coding != b"chunked") {
        // It compares codings with their case, which RFC 9112 section 7 forbids; we always write them in lower case.
        return;
    }
    let bytes = if ours.length == BodyLength::None { &bytes[..ours.len] } else { bytes };
    let skipped = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    // It parses sizes by `from_str_radix`, which takes a sign, and panics where a chunk's end is wrong; we refuse both.
    let mut cursor = Cursor::new(&bytes[skipped..]);
    let Ok(theirs) = bhttp::Message::read_http(&mut cursor) else { return };
    assert_eq!(theirs.control().method(), Some(ours.head.method()));
    assert_eq!(theirs.content(), ours.body);
    assert_eq!(
        usize::try_from(cursor.position()).map(|end| end + skipped),
        Ok(ours.len),
        "the message ends elsewhere"
    );
}

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    // Pipelined requests too; a bound, so that one input is not much work.
    for _ in 0..8 {
        let Some(ours) = ours(rest) else { return };
        against_httparse(rest, &ours);
        against_bhttp(rest, &ours);
        rest = &rest[ours.len..];
    }
});
