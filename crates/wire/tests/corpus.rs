//! The shared hostile corpora, judged by what the codec alone decides.
//!
//! The corpora live outside of the checkout (`../shared/corpus` beside it, or where `POUND_CORPUS` points). When they
//! are not there these tests say so and pass; the codec's own tests do not depend on them. Here a case is fed to the
//! codec in one piece and byte by byte; the whole proxy is judged by the corpora's own runner.

use std::path::PathBuf;

use wire::h1::{framing, parse, write};
use wire::{
    BodyLength, Decoded, Decoder, Encoder, HeadScanner, Kind, Known, Limits, Method, Slots, Version, check,
};

fn corpus(name: &str) -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus");
    let folder = std::env::var_os("POUND_CORPUS").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let path = folder.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) => {
            eprintln!("skipped: {}: {error}", path.display());
            None
        }
    }
}

/// One case; only the members needed here are read, and they hold no escapes.
struct Case<'a>(&'a str);

impl<'a> Case<'a> {
    fn raw_member(&self, name: &str) -> Option<&'a str> {
        let key = format!("\"{name}\": ");
        let at = self.0.find(&key)? + key.len();
        Some(&self.0[at..])
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        self.raw_member(name)?.strip_prefix('"')?.split('"').next()
    }

    fn list(&self, name: &str) -> Vec<&'a str> {
        let inner = self.raw_member(name).and_then(|rest| rest.strip_prefix('[')?.split(']').next());
        inner.map_or(Vec::new(), |inner| inner.split(", ").map(|item| item.trim_matches('"')).collect())
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.raw_member(name)?.split([',', '}', ']']).next()?.trim_start_matches('[').parse().ok()
    }

    fn flag(&self, name: &str) -> bool {
        self.raw_member(name).is_some_and(|rest| rest.starts_with("true"))
    }

    /// The bytes on the wire, from `raw` or from the timed `parts`.
    fn bytes(&self) -> Vec<u8> {
        if let Some(raw) = self.text("raw") {
            return base64(raw);
        }
        let parts = self.raw_member("parts").expect("raw or parts");
        let end = parts.find("]]").expect("list of lists");
        parts[..end].split('"').skip(1).step_by(2).flat_map(base64).collect()
    }
}

fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        other => panic!("not base64: {other:#x}"),
    };
    let mut out = Vec::new();
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group.iter().fold(0u32, |bits, &byte| bits << 6 | u32::from(value(byte)));
        let bits = bits << (6 * (4 - group.len()));
        out.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    out
}

/// How a connection's bytes end for the codec.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// Every byte belongs to a complete message, or comes after one that closes.
    Clean,
    /// A message is not complete.
    Incomplete,
    Refused {
        status: u16,
        code: &'static str,
    },
}

macro_rules! refuse {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return Err(End::Refused { status: error.status(), code: error.code() }),
        }
    };
}

/// Feeds input in pieces of `step` bytes, as a connection owner would.
struct Feed<'a> {
    rest: &'a [u8],
    buf: Vec<u8>,
    step: usize,
}

impl Feed<'_> {
    fn more(&mut self) -> Result<(), End> {
        if self.rest.is_empty() {
            return Err(End::Incomplete);
        }
        let (now, later) = self.rest.split_at(self.step.min(self.rest.len()));
        self.buf.extend_from_slice(now);
        self.rest = later;
        Ok(())
    }

    fn head(&mut self, kind: Kind, limits: &Limits) -> Result<Vec<u8>, End> {
        let mut scanner = HeadScanner::new(kind);
        loop {
            if let Some(len) = refuse!(scanner.scan(&self.buf, limits)) {
                return Ok(self.buf.drain(..len).collect());
            }
            self.more()?;
        }
    }

    fn body(&mut self, length: BodyLength, limits: &Limits) -> Result<Vec<u8>, End> {
        let mut decoder = Decoder::new(length);
        let mut body = Vec::new();
        loop {
            match refuse!(decoder.decode(&self.buf, limits)) {
                Decoded::Done { skip } => {
                    self.buf.drain(..skip);
                    return Ok(body);
                }
                Decoded::Data { skip, len, .. } => {
                    body.extend(self.buf.drain(..skip + len).skip(skip));
                    decoder.consume(len);
                }
                Decoded::NeedMore { skip } => {
                    self.buf.drain(..skip);
                    if self.rest.is_empty() && decoder.eof().is_ok() {
                        return Ok(body);
                    }
                    self.more()?;
                }
            }
        }
    }
}

/// Reads requests until the end, a refusal, or a request after which the connection closes.
fn requests(bytes: &[u8], step: usize) -> (Vec<Vec<u8>>, End) {
    let mut feed = Feed { rest: bytes, buf: Vec::new(), step };
    let mut bodies = Vec::new();
    loop {
        if feed.buf.is_empty() && feed.rest.is_empty() {
            return (bodies, End::Clean);
        }
        match one_request(&mut feed) {
            Ok((body, keep)) => {
                bodies.push(body);
                if !keep {
                    return (bodies, End::Clean);
                }
            }
            Err(end) => return (bodies, end),
        }
    }
}

fn one_request(feed: &mut Feed<'_>) -> Result<(Vec<u8>, bool), End> {
    let limits = Limits::default();
    let bytes = feed.head(Kind::Request, &limits)?;
    let head = refuse!(parse::request(bytes, Slots::default(), &limits).map_err(|refused| refused.error));
    refuse!(check::request_semantics(&head));
    let length = refuse!(framing::request(&head));
    if head.method_kind().group().is_none() {
        // What a listener with xHTTP 3 would say; the corpora expect one.
        return Err(End::Refused { status: 501, code: "method" });
    }
    let body = feed.body(length, &limits)?;
    let fields = head.fields();
    let keep = !fields.contains_token(Known::Connection, b"close")
        && (head.version() == Version::Http11 || fields.contains_token(Known::Connection, b"keep-alive"));
    Ok((body, keep))
}

#[test]
fn requests_get_the_verdict_the_rfcs_want() {
    let Some(text) = corpus("http1-requests.jsonl") else { return };
    let mut wrong = Vec::new();
    let (mut passed, mut tolerated) = (0, 0);
    for line in text.lines().filter(|line| !line.is_empty()) {
        let case = Case(line);
        let id = case.text("id").expect("id");
        let bytes = case.bytes();
        let (bodies, end) = requests(&bytes, usize::MAX);
        let small = if bytes.len() > 100_000 { 997 } else { 1 };
        assert_eq!(requests(&bytes, small), (bodies.clone(), end.clone()), "{id}: the cut matters");
        match judge_request(&case, &bodies, &end) {
            Ok(true) => passed += 1,
            Ok(false) => tolerated += 1,
            Err(why) => wrong.push(format!("{id}: {why}: {} requests, {end:?}", bodies.len())),
        }
    }
    eprintln!("requests: {passed} pass, {tolerated} tolerated, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Ok(true) for the wanted outcome, Ok(false) for another one that an RFC allows.
fn judge_request(case: &Case<'_>, bodies: &[Vec<u8>], end: &End) -> Result<bool, String> {
    let alternative = case.text("alt").unwrap_or_default();
    let accepted = *end == End::Clean;
    if case.text("expect") == Some("reject") {
        let before = case.number("before").unwrap_or(0);
        return match end {
            End::Refused { status, .. } if bodies.len() != before => Err(format!("{status} too late")),
            End::Refused { status, .. } if case.list("status").contains(&status.to_string().as_str()) => {
                Ok(true)
            }
            End::Refused { status, .. } => Err(format!("status {status}")),
            End::Incomplete if case.flag("incomplete") => Ok(true),
            End::Incomplete if alternative == "incomplete" => Ok(false),
            End::Clean if alternative.starts_with("accept") => Ok(false),
            // Whether TRACE is served is the listener's decision.
            End::Clean if case.text("id") == Some("method-trace") => Ok(false),
            _ => Err("not refused".into()),
        };
    }
    if !accepted {
        return if alternative == "reject" { Ok(false) } else { Err("refused".into()) };
    }
    let counts: Vec<usize> = case.list("n").iter().filter_map(|n| n.parse().ok()).collect();
    let expected = case.number("n").unwrap_or(1);
    if bodies.len() != expected && !counts.contains(&bodies.len()) {
        return Err(format!("{expected} requests expected"));
    }
    match case.text("body") {
        Some(body) if bodies[0] != base64(body) => Err("body differs".into()),
        _ => Ok(true),
    }
}

/// What the client of a proxy would be told, from the codec's view.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Passed { status: u16, body: Vec<u8> },
    BadGateway(&'static str),
    Cut,
}

fn answer(bytes: &[u8], step: usize, method: Method) -> Answer {
    let limits = Limits::default();
    let mut feed = Feed { rest: bytes, buf: Vec::new(), step };
    let mut interim = 0;
    loop {
        let head = match feed.head(Kind::Response, &limits) {
            Ok(head) => head,
            Err(End::Refused { code, .. }) => return Answer::BadGateway(code),
            Err(_) => return Answer::BadGateway("ended in the head"),
        };
        let head = match parse::response(head, Slots::default(), &limits) {
            Ok(head) => head,
            Err(refused) => return Answer::BadGateway(refused.error.code()),
        };
        let length = match framing::response(&head, method) {
            Ok(length) => length,
            Err(error) => return Answer::BadGateway(error.code()),
        };
        if head.status() == 101 {
            return Answer::BadGateway("101 that nobody asked for");
        }
        if head.is_interim() {
            interim += 1;
            if interim > limits.interim_max {
                return Answer::BadGateway("too many interim answers");
            }
            continue;
        }
        return match feed.body(length, &limits) {
            Ok(body) => Answer::Passed { status: head.status(), body },
            Err(_) => Answer::Cut,
        };
    }
}

#[test]
fn responses_get_the_verdict_the_rfcs_want() {
    let Some(text) = corpus("http1-responses.jsonl") else { return };
    let mut wrong = Vec::new();
    let (mut passed, mut tolerated) = (0, 0);
    for line in text.lines().filter(|line| !line.is_empty()) {
        let case = Case(line);
        let id = case.text("id").expect("id");
        let bytes = case.bytes();
        let method = Method::lookup(case.text("method").unwrap_or("GET").as_bytes());
        let found = answer(&bytes, usize::MAX, method);
        let small = if bytes.len() > 100_000 { 997 } else { 1 };
        assert_eq!(answer(&bytes, small, method), found, "{id}: the cut matters");
        let word = match &found {
            Answer::Passed { .. } => "pass",
            Answer::BadGateway(_) => "502",
            Answer::Cut => "close",
        };
        let same_body = match (&found, case.text("body"), case.number("body_len")) {
            (Answer::Passed { body, .. }, Some(expect), _) => *body == base64(expect),
            (Answer::Passed { body, .. }, _, Some(len)) => body.len() == len,
            _ => true,
        };
        match (case.list("expect").contains(&word), case.list("alt").contains(&word)) {
            _ if !same_body => wrong.push(format!("{id}: body differs")),
            (true, _) => passed += 1,
            (false, true) => tolerated += 1,
            _ => wrong.push(format!("{id}: {word} {found:?}")),
        }
    }
    eprintln!("responses: {passed} pass, {tolerated} tolerated, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn accepted_requests_leave_in_canonical_form() {
    let Some(text) = corpus("http1-requests.jsonl") else { return };
    let limits = Limits::default();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let case = Case(line);
        let bytes = case.bytes();
        let mut feed = Feed { rest: &bytes, buf: Vec::new(), step: usize::MAX };
        let Ok(head) = feed.head(Kind::Request, &limits) else { continue };
        let Ok(mut head) = parse::request(head, Slots::default(), &limits) else { continue };
        let (Ok(()), Ok(length)) = (check::request_semantics(&head), framing::request(&head)) else {
            continue;
        };
        let Ok(body) = feed.body(length, &limits) else { continue };

        head.make_origin_form().expect("room");
        wire::hop::remove_hop_by_hop(head.fields_mut());
        let mut out = Vec::new();
        write::request_head(&head, &write::Framing::of(length), &mut out);
        let mut encoder = Encoder::new(length);
        if !body.is_empty() {
            let framed = encoder.frame(body.len(), None);
            out.extend_from_slice(framed.prefix.as_ref());
            out.extend_from_slice(&body[..framed.take]);
            out.extend_from_slice(framed.suffix);
        }
        encoder.finish(None, &mut out).expect("complete");

        let id = case.text("id").expect("id");
        let (bodies, end) = requests(&out, usize::MAX);
        if head.host().is_none() {
            // An HTTP/1.0 request without Host has no host to name; the empty one we write is for the owner to replace.
            assert!(bodies.is_empty(), "{id}");
            continue;
        }
        if head.method_kind().group().is_some() {
            assert_eq!((bodies.len(), &end), (1, &End::Clean), "{id}: {}", String::from_utf8_lossy(&out));
            assert_eq!(bodies[0], body, "{id}");
        }
    }
}
