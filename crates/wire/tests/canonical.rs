//! What we write, three parsers read as the same message: our own, httparse and bhttp.
//!
//! Messages are made in every spelling that the codec accepts: blanks around values, empty lines before, any case,
//! absolute-form, chunk extensions, trailers, hop-by-hop fields. What leaves must then be one canonical form, in which
//! each of the parsers finds the same start line, the same fields in the same order and the same body, ending at the
//! same byte.

use std::io::Cursor;

use proptest::prelude::*;
use wire::h1::{framing, parse, write};
use wire::{
    BodyLength, Decoded, Decoder, Encoder, Fields, HeadScanner, Kind, Known, Limits, Method, RequestHead,
    ResponseHead, Slots, check, hop,
};

type Pairs = Vec<(String, Vec<u8>)>;

/// A message as a parser reads it: start line without version, fields with lower-case names, body, bytes taken.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    start: (Vec<u8>, Vec<u8>),
    fields: Pairs,
    body: Vec<u8>,
    trailers: Pairs,
    used: usize,
}

fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

fn pairs(fields: &Fields) -> Pairs {
    fields.iter().map(|(name, value)| (lower(name), value.to_vec())).collect()
}

/// Without what a reader removes since it belongs to the connection; the framing is compared by its effect.
fn end_to_end(fields: Pairs) -> Pairs {
    fields.into_iter().filter(|(name, _)| name != "transfer-encoding").collect()
}

/// A body and its trailers, decoded; and how many bytes they took.
fn decode(length: BodyLength, input: &[u8]) -> (Vec<u8>, Fields, usize) {
    let mut decoder = Decoder::new(length);
    let (mut body, mut used) = (Vec::new(), 0);
    loop {
        match decoder.decode(&input[used..], &Limits::default()).expect("a valid body") {
            Decoded::Done { skip } => return (body, decoder.take_trailers(), used + skip),
            Decoded::Data { skip, len, .. } => {
                used += skip;
                body.extend_from_slice(&input[used..used + len]);
                decoder.consume(len);
                used += len;
            }
            Decoded::NeedMore { skip } => {
                used += skip;
                decoder.eof().expect("a whole body");
            }
        }
    }
}

/// As a relay does it: each piece of data in a chunk of its own.
fn encode(length: BodyLength, body: &[u8], trailers: &Fields, out: &mut Vec<u8>) {
    let mut encoder = Encoder::new(length);
    for piece in body.chunks(3) {
        let framed = encoder.frame(piece.len(), None);
        out.extend_from_slice(framed.prefix.as_ref());
        out.extend_from_slice(&piece[..framed.take]);
        out.extend_from_slice(framed.suffix);
    }
    encoder.finish(Some(trailers), out).expect("a whole body");
}

fn parse_request(bytes: &[u8]) -> (RequestHead, usize) {
    let limits = Limits::default();
    let len = HeadScanner::new(Kind::Request).scan(bytes, &limits).expect("valid").expect("whole");
    (parse::request(bytes[..len].to_vec(), Slots::default(), &limits).expect("valid"), len)
}

fn parse_response(bytes: &[u8]) -> (ResponseHead, usize) {
    let limits = Limits::default();
    let len = HeadScanner::new(Kind::Response).scan(bytes, &limits).expect("valid").expect("whole");
    (parse::response(bytes[..len].to_vec(), Slots::default(), &limits).expect("valid"), len)
}

fn ours_request(bytes: &[u8]) -> Message {
    let (head, len) = parse_request(bytes);
    check::request_semantics(&head).expect("what we write is a valid request");
    let (body, trailers, taken) = decode(framing::request(&head).expect("one framing"), &bytes[len..]);
    let start = (head.method().to_vec(), head.target().to_vec());
    Message {
        start,
        fields: end_to_end(pairs(head.fields())),
        body,
        trailers: pairs(&trailers),
        used: len + taken,
    }
}

fn ours_response(bytes: &[u8]) -> Message {
    let (head, len) = parse_response(bytes);
    let length = framing::response(&head, Method::Get).expect("one framing");
    let (body, trailers, taken) = decode(length, &bytes[len..]);
    let start = (head.status().to_string().into_bytes(), Vec::new());
    Message {
        start,
        fields: end_to_end(pairs(head.fields())),
        body,
        trailers: pairs(&trailers),
        used: len + taken,
    }
}

/// The framing by another reader's fields, in the plainest way: the first field of either name decides.
fn plain_body(fields: &[httparse::Header<'_>], input: &[u8], until_close: bool) -> (Vec<u8>, Pairs, usize) {
    let value = |name: &str| {
        fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    };
    match (value("transfer-encoding"), value("content-length")) {
        (Some(coding), None) => {
            assert_eq!(coding, b"chunked");
            plain_chunks(input)
        }
        (None, Some(length)) => {
            let length = std::str::from_utf8(length).expect("digits").parse().expect("a number");
            (input[..length].to_vec(), Vec::new(), length)
        }
        (None, None) if until_close => (input.to_vec(), Vec::new(), input.len()),
        (None, None) => (Vec::new(), Vec::new(), 0),
        (Some(_), Some(_)) => panic!("two framings were written"),
    }
}

fn plain_chunks(input: &[u8]) -> (Vec<u8>, Pairs, usize) {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let httparse::Status::Complete((line, size)) =
            httparse::parse_chunk_size(&input[at..]).expect("a size")
        else {
            panic!("a chunk line that does not end");
        };
        at += line;
        let size = usize::try_from(size).expect("small");
        if size == 0 {
            let mut slots = [httparse::EMPTY_HEADER; 64];
            let parsed = httparse::parse_headers(&input[at..], &mut slots).expect("valid trailers");
            let httparse::Status::Complete((len, fields)) = parsed else {
                panic!("trailers that do not end")
            };
            let trailers =
                fields.iter().map(|field| (lower(field.name.as_bytes()), field.value.to_vec())).collect();
            return (body, trailers, at + len);
        }
        body.extend_from_slice(&input[at..at + size]);
        assert_eq!(&input[at + size..at + size + 2], b"\r\n");
        at += size + 2;
    }
}

fn httparse_fields(fields: &[httparse::Header<'_>]) -> Pairs {
    end_to_end(fields.iter().map(|field| (lower(field.name.as_bytes()), field.value.to_vec())).collect())
}

fn httparse_request(bytes: &[u8]) -> Message {
    let mut slots = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Request::new(&mut slots);
    let httparse::Status::Complete(len) = head.parse(bytes).expect("valid for httparse") else {
        panic!("not whole")
    };
    assert_eq!(head.version, Some(1));
    let (body, trailers, taken) = plain_body(head.headers, &bytes[len..], false);
    let word = |word: Option<&str>| word.unwrap_or_default().as_bytes().to_vec();
    let start = (word(head.method), word(head.path));
    Message { start, fields: httparse_fields(head.headers), body, trailers, used: len + taken }
}

fn httparse_response(bytes: &[u8]) -> Message {
    let mut slots = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Response::new(&mut slots);
    let httparse::Status::Complete(len) = head.parse(bytes).expect("valid for httparse") else {
        panic!("not whole")
    };
    assert_eq!(head.version, Some(1));
    let (body, trailers, taken) = plain_body(head.headers, &bytes[len..], true);
    let start = (head.code.unwrap_or_default().to_string().into_bytes(), Vec::new());
    Message { start, fields: httparse_fields(head.headers), body, trailers, used: len + taken }
}

/// bhttp reads a request that has neither framing field to the end of its input, so it is given none after it.
fn bhttp_message(bytes: &[u8]) -> Message {
    let mut cursor = Cursor::new(bytes);
    let message = bhttp::Message::read_http(&mut cursor).expect("valid for bhttp");
    let control = message.control();
    let start = match control.status() {
        Some(status) => (status.code().to_string().into_bytes(), Vec::new()),
        None => (control.method().unwrap_or_default().to_vec(), control.path().unwrap_or_default().to_vec()),
    };
    let fields = |fields: &[bhttp::Field]| -> Pairs {
        fields.iter().map(|field| (lower(field.name()), field.value().to_vec())).collect()
    };
    Message {
        start,
        fields: fields(message.header().fields()),
        body: message.content().to_vec(),
        trailers: fields(message.trailer().fields()),
        used: usize::try_from(cursor.position()).expect("small"),
    }
}

/// One form and no other: checked on the bytes themselves, without a parser.
fn assert_canonical(bytes: &[u8]) {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an end of the head");
    let head = &bytes[..end];
    assert!(!head.starts_with(b"\r\n"));
    let lines: Vec<&[u8]> = lines_of(head);
    let framing = |line: &&&[u8]| {
        let line = lower(line);
        line.starts_with("content-length:") || line.starts_with("transfer-encoding:")
    };
    assert!(lines.iter().filter(framing).count() <= 1);
    for line in &lines[1..] {
        let colon = line.iter().position(|&byte| byte == b':').expect("a colon");
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        assert!(wire::token::is_token(name));
        match value {
            [] => {}
            [b' ', value @ ..] => assert!(!value.is_empty() && wire::token::trim(value) == value, "{line:?}"),
            _ => panic!("no space after the colon: {line:?}"),
        }
    }
}

fn lines_of(head: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = head;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
        lines.push(&rest[..at]);
        rest = &rest[at + 2..];
    }
    lines.push(rest);
    assert!(lines.iter().all(|line| !line.is_empty() && wire::token::is_value(line)));
    lines
}

/// A body in some spelling.
#[derive(Clone, Debug)]
enum Body {
    None,
    Length { zeros: usize, data: Vec<u8> },
    Chunked { coding: &'static str, chunks: Vec<(Vec<u8>, &'static str)>, trailers: Vec<String> },
}

impl Body {
    fn field(&self) -> String {
        match self {
            Body::None => String::new(),
            Body::Length { zeros, data } => {
                format!("cOntent-length:\t{}{}  \r\n", "0".repeat(*zeros), data.len())
            }
            Body::Chunked { coding, .. } => format!("Transfer-encoding:{coding}\r\n"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Body::None => Vec::new(),
            Body::Length { data, .. } => data.clone(),
            Body::Chunked { chunks, trailers, .. } => {
                let mut out = Vec::new();
                for (data, extension) in chunks {
                    out.extend(format!("{:X}{extension}\r\n", data.len()).bytes());
                    out.extend(data);
                    out.extend(b"\r\n");
                }
                out.extend(b"000;last\r\n");
                out.extend(trailers.concat().bytes());
                out.extend(b"\r\n");
                out
            }
        }
    }
}

fn body() -> impl Strategy<Value = Body> {
    let data = || proptest::collection::vec(any::<u8>(), 1..12);
    let extension = prop_oneof![Just(""), Just(" ; a=b"), Just(";a=\"x\\\"\""), Just(";a")];
    let coding = prop_oneof![Just("chunked"), Just(" CHUNKED"), Just("\tChunked  ")];
    let chunked = (
        coding,
        proptest::collection::vec((data(), extension), 0..4),
        proptest::collection::vec(field(), 0..3),
    )
        .prop_map(|(coding, chunks, trailers)| Body::Chunked { coding, chunks, trailers });
    prop_oneof![
        Just(Body::None),
        (0usize..4, proptest::collection::vec(any::<u8>(), 0..12))
            .prop_map(|(zeros, data)| Body::Length { zeros, data }),
        chunked,
    ]
}

/// A field line in some spelling; names that mean something and names that do not.
fn field() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => "X-[a-z!#$%&'*+.^_`|~0-9-]{0,8}",
        1 => Just("Cookie".to_owned()),
        1 => Just("ACCEPT".to_owned()),
        1 => Just("Keep-Alive".to_owned()),
        1 => Just("te".to_owned()),
        1 => Just("Content_Length".to_owned()),
        1 => Just("X_Forwarded_For".to_owned()),
        1 => Just("Trailer".to_owned()),
    ];
    (name, "[ \t]{0,3}", "([!-~]([ -~\t]{0,12}[!-~])?)?", "[ \t]{0,2}")
        .prop_map(|(name, before, value, after)| format!("{name}:{before}{value}{after}\r\n"))
}

fn request() -> impl Strategy<Value = (Vec<u8>, bool)> {
    let method = prop_oneof![Just("GET"), Just("POST"), Just("PROPFIND"), Just("B!R"), Just("HEAD")];
    // No colon: bhttp takes a target with one for an absolute URL.
    let target = "/[a-zA-Z0-9!$&'()*+,;=_~-]{0,6}(%4[0-9a-f])?(\\?[a-z=&/?]{0,6})?";
    let absolute = proptest::bool::weighted(0.2);
    let fields = proptest::collection::vec(field(), 0..6);
    (method, target, absolute, any::<bool>(), any::<bool>(), fields, body()).prop_map(
        |(method, target, absolute, empty_line, old, fields, body)| {
            let old = old && !matches!(body, Body::Chunked { .. });
            let mut out = if empty_line { b"\r\n".to_vec() } else { Vec::new() };
            let before = if absolute { "HTTP://Host.example:80" } else { "" };
            let version = if old { "1.0" } else { "1.1" };
            out.extend(format!("{method} {before}{target} HTTP/{version}\r\nhost: host.example\r\n").bytes());
            out.extend(fields.concat().bytes());
            out.extend(body.field().bytes());
            out.extend(b"Connection: keep-alive, X-a\r\n\r\n");
            out.extend(body.bytes());
            (out, matches!(body, Body::None))
        },
    )
}

fn response() -> impl Strategy<Value = Vec<u8>> {
    let status = prop_oneof![Just("200 OK"), Just("404 "), Just("500"), Just("299 \u{e9}\tx")];
    (status, proptest::collection::vec(field(), 0..6), body(), any::<bool>()).prop_map(
        |(status, fields, body, old)| {
            let version = if old && !matches!(body, Body::Chunked { .. }) { "1.0" } else { "1.1" };
            let mut out =
                format!("HTTP/{version} {status}\r\n{}{}\r\n", fields.concat(), body.field()).into_bytes();
            out.extend(body.bytes());
            out
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_request_we_write_is_one_message_to_three_parsers((bytes, bare) in request()) {
        let (mut head, len) = parse_request(&bytes);
        check::request_semantics(&head).expect("valid");
        let length = framing::request(&head).expect("one framing");
        let (body, trailers, _) = decode(length, &bytes[len..]);
        head.make_origin_form().expect("room");
        let nominated = hop::remove_hop_by_hop(head.fields_mut());
        prop_assert!(nominated.contains(b"x-A"));

        let mut out = Vec::new();
        write::request_head(&head, &write::Framing::of(length), &mut out);
        encode(length, &body, &trailers, &mut out);
        assert_canonical(&out);
        let whole = out.len();
        let expect = Message {
            start: (head.method().to_vec(), head.target().to_vec()),
            fields: expected(head.fields(), length),
            body,
            trailers: pairs(&trailers),
            used: whole,
        };
        let alone = bhttp_message(&out);
        // Another request after it is not looked at.
        out.extend_from_slice(b"GET /next HTTP/1.1\r\nHost: next\r\n\r\n");
        prop_assert_eq!(&ours_request(&out), &expect);
        prop_assert_eq!(&httparse_request(&out), &expect);
        if !bare {
            prop_assert_eq!(&bhttp_message(&out), &without_trailer(&expect));
        }
        prop_assert_eq!(&alone, &without_trailer(&expect));
    }

    #[test]
    fn an_answer_we_write_is_one_message_to_three_parsers(bytes in response()) {
        let (mut head, len) = parse_response(&bytes);
        let length = framing::response(&head, Method::Get).expect("one framing");
        let (body, trailers, _) = decode(length, &bytes[len..]);
        hop::remove_hop_by_hop(head.fields_mut());

        let mut out = Vec::new();
        write::response_head(&head, &write::Framing::of(length), &mut out);
        encode(length, &body, &trailers, &mut out);
        assert_canonical(&out);
        let expect = Message {
            start: (head.status().to_string().into_bytes(), Vec::new()),
            fields: expected(head.fields(), length),
            body,
            trailers: pairs(&trailers),
            used: out.len(),
        };
        prop_assert_eq!(&bhttp_message(&out), &without_trailer(&expect));
        if length != BodyLength::UntilClose {
            out.extend_from_slice(b"HTTP/1.1 500 next\r\n\r\n");
        }
        prop_assert_eq!(&ours_response(&out), &expect);
        prop_assert_eq!(&httparse_response(&out), &expect);
    }
}

/// The fields to be found: those of the head, with the framing as it is written.
fn expected(fields: &Fields, length: BodyLength) -> Pairs {
    let mut found: Pairs = fields
        .iter_known()
        .filter(|(known, _, _)| *known != Some(Known::ContentLength))
        .map(|(_, name, value)| (lower(name), value.to_vec()))
        .collect();
    if let BodyLength::Length(length) = length {
        found.push(("content-length".to_owned(), length.to_string().into_bytes()));
    }
    found
}

/// bhttp drops Trailer, which RFC 9110 made end-to-end.
fn without_trailer(message: &Message) -> Message {
    let fields = message.fields.iter().filter(|(name, _)| name != "trailer").cloned().collect();
    Message {
        start: message.start.clone(),
        fields,
        body: message.body.clone(),
        trailers: message.trailers.clone(),
        used: message.used,
    }
}
