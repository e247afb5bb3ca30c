use std::io;

use plan::service::LogSuppress;
use plan::{Balancer, LogFormat};

use super::super::ring::channel;
use super::*;
use crate::fault::Cause;
use crate::testing::{Setup, Stage as World, get};

fn stage(change: impl FnOnce(&mut Setup)) -> World {
    Setup::with(|setup| {
        setup.formats.push(LogFormat::new("short", "%r %s").unwrap());
        setup.listener.log_format = setup.formats.len() - 1;
        setup.balanced(&[("10.0.0.1:80", 1)], Balancer::Random, None);
        change(setup);
    })
    .run()
}

fn lines(stage: &World, x: &Exchange, fault: Option<&Fault>) -> Vec<(Kind, Severity, String)> {
    let (mut pens, mut drain) = channel(1, 10_000);
    exchange(&mut pens[0], x, fault, &stage.clock);
    let mut lines = Vec::new();
    drain.take(&mut |record| {
        lines.push((record.kind, record.severity, String::from_utf8(record.text.to_vec()).unwrap()));
    });
    lines
}

fn served(stage: &World, status: u16) -> Exchange {
    let mut x = stage.exchange(&get("/", ""));
    (x.service, x.sent.status) = (Some(0), status);
    x
}

#[test]
fn a_request_has_one_line() {
    let stage = stage(|_| ());
    let expect = (Kind::Access, Severity::Info, "GET / HTTP/1.1 200".to_owned());
    assert_eq!(lines(&stage, &served(&stage, 200), None), [expect]);
}

#[test]
fn no_line_is_written_where_none_is_wanted() {
    let quiet = stage(|setup| setup.listener.log_format = 0);
    assert_eq!(lines(&quiet, &served(&quiet, 200), None), []);
    let suppressed =
        stage(|setup| setup.services[0].log_suppress = LogSuppress([false, true, false, false, false]));
    assert_eq!(lines(&suppressed, &served(&suppressed, 204), None), []);
    assert_eq!(lines(&suppressed, &served(&suppressed, 302), None).len(), 1);
}

#[test]
fn a_fault_says_who_what_and_why() {
    let stage = stage(|_| ());
    let mut x = served(&stage, 502);
    x.backend = Some(0);
    let fault = Fault::new(Stage::Forward, Cause::BackendBroken(io::ErrorKind::ConnectionReset.into()));
    let thread = std::thread::current().name().unwrap().to_owned();
    let text = |fault: &Fault| {
        let lines = lines(&stage, &x, Some(fault));
        assert_eq!((lines.len(), lines[0].0), (2, Kind::Event));
        assert_eq!(lines[1].2, "GET / HTTP/1.1 502");
        (lines[0].1, lines[0].2.strip_prefix(&format!("({thread}) ")).unwrap().to_owned())
    };
    let (severity, line) = text(&fault);
    assert_eq!(severity, Severity::Error);
    assert_eq!(
        line,
        "[E-BACKEND-BROKEN] 203.0.113.7 => 10.0.0.1:80: \"GET / HTTP/1.1\": the connection to the back-end broke: connection reset"
    );
    let (severity, line) =
        text(&Fault::new(Stage::Relay, Cause::ClientBroken(io::ErrorKind::BrokenPipe.into())));
    assert_eq!(severity, Severity::Info);
    assert!(line.starts_with("[E-CLIENT-BROKEN] 203.0.113.7 <= 10.0.0.1:80: "), "{line}");
}

#[test]
fn a_fault_cannot_forge_a_line() {
    let stage = stage(|_| ());
    let mut x = served(&stage, 400);
    x.request = wire::RequestHead::new();
    x.unparsed = b"GET /\" ok\nforged".to_vec();
    let fault = Fault::new(Stage::Parse, Cause::Evaluation("a\r\nb \"c\"".into()));
    let line = &lines(&stage, &x, Some(&fault))[0].2;
    assert!(line.contains(": \"GET /\\\" ok\\x0aforged\": a\\x0d\\x0ab \"c\""), "{line}");
}

#[test]
fn what_is_quoted_of_a_message_cannot_forge_a_line() {
    let stage = stage(|_| ());
    let mut x = served(&stage, 400);
    x.offending = b"X\" y: \r\n\x1b[31m\x00\xff\\".to_vec();
    let fault = Fault::new(Stage::Parse, Cause::BadRequest(wire::ParseError::NameMalformed));
    let line = &lines(&stage, &x, Some(&fault))[0].2;
    assert!(line.ends_with(r#": "X\" y: \x0d\x0a\x1b[31m\x00\xff\\""#), "{line}");
    assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line}");
}

#[test]
fn a_head_that_does_not_come_whole_is_an_event_with_a_code() {
    let stage = stage(|_| ());
    let silence = plan::Silence::new(std::time::Duration::from_secs(10), "Client");
    for (cause, code, text) in [
        (Cause::ClientClosed, "[E-CLIENT-CLOSED]", "(within the head of a request)"),
        (Cause::ClientTimeout(silence), "[E-CLIENT-TIMEOUT]", "no whole head for 10 s"),
    ] {
        let lines = lines(&stage, &served(&stage, 408), Some(&Fault::new(Stage::Parse, cause)));
        let (kind, severity, line) = &lines[0];
        assert_eq!((*kind, *severity), (Kind::Event, Severity::Info));
        assert!(line.contains(code) && line.contains(text), "{line}");
    }
}

/// The event line of a fault, whatever the worker is called.
fn hinted(change: impl FnOnce(&mut Setup), request: &str, cause: Cause) -> String {
    let stage = stage(change);
    let mut x = stage.exchange(request);
    x.stray = Some((b'\t', 3, 7));
    let line = lines(&stage, &x, Some(&Fault::new(Stage::Sanitize, cause))).remove(0).2;
    line.split_once("\": ").unwrap().1.to_owned()
}

#[test]
fn a_fault_names_the_directive_that_would_let_it_pass_and_the_byte_it_is_about() {
    let options = "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(
        hinted(|_| (), options, Cause::MethodNotAllowed),
        "the method is not allowed by xHTTP (xHTTP 0, the default, does not allow OPTIONS; xHTTP 2 does, or Methods \"OPTIONS\")"
    );
    let one = |setup: &mut Setup| setup.listener.methods = plan::listener::MethodLevel::Extended;
    assert!(hinted(one, options, Cause::MethodNotAllowed).contains("(xHTTP 1 does not allow OPTIONS"));
    let purge = hinted(|_| (), "PURGE / HTTP/1.1\r\nHost: a\r\n\r\n", Cause::MethodUnknown);
    assert_eq!(purge, "unknown method (Methods \"PURGE\" in the listener lets it pass)");
    let connect = hinted(|_| (), "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", Cause::MethodNotAllowed);
    assert!(connect.contains("no level of xHTTP"), "{connect}");
    let line = hinted(|_| (), &get("/", ""), Cause::BadAnswer(wire::ParseError::LineTooLong));
    assert!(line.contains("(LineBufferSize is 16384)"), "{line}");
    let short = |setup: &mut Setup| setup.listener.target_max = Some(3);
    assert!(hinted(short, &get("/abc", ""), Cause::TargetTooLong).contains("(MaxURI is 3)"));
    let tab = hinted(|_| (), &get("/", ""), Cause::BadRequest(wire::ParseError::TargetCharacter));
    assert!(tab.ends_with("(U+0009 tab in line 3 of the head, at byte 7)"), "{tab}");
    let chunk = Cause::BadBody(wire::BodyError::ChunkLineTooLong);
    assert!(hinted(|_| (), &get("/", ""), chunk).contains("MaxChunkLine is"));
}
