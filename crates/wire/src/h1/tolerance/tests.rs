use crate::h1::error::{FramingError, ParseError};
use crate::h1::framing::{self, BodyLength};
use crate::h1::limits::{Limits, Tolerance};
use crate::h1::parse::{self, HeadScanner, Kind};
use crate::head::{ResponseHead, Slots};
use crate::method::Method;

fn with(change: impl FnOnce(&mut Tolerance)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits.tolerance);
    limits
}

/// Reads a head and the length it states, in one piece and byte by byte.
fn read(text: &str, limits: &Limits) -> Result<(ResponseHead, Result<BodyLength, FramingError>), ParseError> {
    let bytes = text.as_bytes();
    let whole = HeadScanner::new(Kind::Response).scan(bytes, limits);
    let mut scanner = HeadScanner::new(Kind::Response);
    let pieces = (1..=bytes.len()).find_map(|len| match scanner.scan(&bytes[..len], limits) {
        Ok(None) => None,
        verdict => Some(verdict),
    });
    assert_eq!(Some(&whole), pieces.as_ref(), "{text:?}: the cut matters");
    let len = whole?.expect("whole");
    let head =
        parse::response(bytes[..len].to_vec(), Slots::default(), limits).map_err(|refused| refused.error)?;
    let length = framing::response(&head, Method::Get);
    Ok((head, length))
}

fn fields(head: &ResponseHead) -> String {
    head.fields().iter().fold(String::new(), |text, (name, value)| {
        format!("{text}{}={};", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
    })
}

/// Refused without the tolerance, and read with it.
fn both_ways(change: impl FnOnce(&mut Tolerance), lines: &str, expect: &str, length: BodyLength) {
    let text = format!("HTTP/1.1 200 OK{lines}");
    let strict = read(&text, &Limits::default());
    assert!(!matches!(strict, Ok((_, Ok(_)))), "{text:?} passed");
    let (head, found) = read(&text, &with(change)).expect(&text);
    assert_eq!((fields(&head), found), (expect.to_owned(), Ok(length)), "{text:?}");
}

#[test]
fn bare_line_feeds_end_lines() {
    let bare = |tolerance: &mut Tolerance| tolerance.bare_lf = true;
    both_ways(bare, "\nA: b\nContent-Length: 5\n\n", "A=b;Content-Length=5;", BodyLength::Length(5));
    both_ways(bare, "\r\nA: b\nContent-Length: 5\r\n\n", "A=b;Content-Length=5;", BodyLength::Length(5));
    both_ways(bare, "\n\n", "", BodyLength::UntilClose);
    // A CR alone ends nothing, and a request has no such tolerance.
    assert!(read("HTTP/1.1 200 OK\r\nA: b\rc\n\n", &with(bare)).is_err());
    let mut scanner = HeadScanner::new(Kind::Request);
    assert_eq!(scanner.scan(b"GET / HTTP/1.1\nHost: a\n\n", &with(bare)), Err(ParseError::BareLf));
}

#[test]
fn folds_become_spaces() {
    let folds = |tolerance: &mut Tolerance| tolerance.folds = true;
    both_ways(folds, "\r\nA: b \r\n\t c\r\n d\r\nE: f\r\n\r\n", "A=b c d;E=f;", BodyLength::UntilClose);
    both_ways(folds, "\r\nA:\r\n b\r\n\r\n", "A=b;", BodyLength::UntilClose);
    both_ways(
        folds,
        "\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
        "Transfer-Encoding=chunked;",
        BodyLength::Chunked,
    );
    // There is nothing to go on with before the first field.
    assert!(read("HTTP/1.1 200 OK\r\n A: b\r\n\r\n", &with(folds)).is_err());
    // Joined it is one line, and bounded like one.
    let long = format!("HTTP/1.1 200 OK\r\nA: b\r\n {}\r\n\r\n", "c".repeat(90));
    let short = Limits { line_max: 92, ..with(folds) };
    assert_eq!(read(&long, &short).err(), Some(ParseError::LineTooLong));
}

#[test]
fn a_blank_before_a_colon_is_removed_without_being_asked_for_but_in_framing_fields() {
    let (head, length) =
        read("HTTP/1.1 200 OK\r\nServer : old\r\nX-A\t : b\r\nContent-Length: 1\r\n\r\n", &Limits::default())
            .unwrap();
    assert_eq!((&*fields(&head), length), ("Server=old;X-A=b;Content-Length=1;", Ok(BodyLength::Length(1))));
    let blanks = |tolerance: &mut Tolerance| tolerance.colon_blanks = true;
    both_ways(blanks, "\r\nContent-Length : 5\r\n\r\n", "Content-Length=5;", BodyLength::Length(5));
    both_ways(
        blanks,
        "\r\nTransfer-Encoding\t: chunked\r\n\r\n",
        "Transfer-Encoding=chunked;",
        BodyLength::Chunked,
    );
    for bad in ["X A : b", " : b", "X(A) : b", "X"] {
        assert!(read(&format!("HTTP/1.1 200 OK\r\nY: z\r\n{bad}\r\n\r\n"), &with(blanks)).is_err(), "{bad}");
    }
}

#[test]
fn equal_lengths_are_one() {
    let equal = |tolerance: &mut Tolerance| tolerance.equal_lengths = true;
    both_ways(
        equal,
        "\r\nContent-Length: 5\r\nContent-length: 5\r\n\r\n",
        "Content-Length=5;",
        BodyLength::Length(5),
    );
    both_ways(equal, "\r\nContent-Length: 5, 5\r\n\r\n", "Content-Length=5;", BodyLength::Length(5));
    for bad in ["5\r\nContent-Length: 6", "5, 6", "5,", "+5, +5", "5\r\nContent-Length: 05", "a, a"] {
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {bad}\r\n\r\n");
        assert!(!matches!(read(&text, &with(equal)), Ok((_, Ok(_)))), "{bad}");
    }
}

#[test]
fn identity_is_no_coding() {
    let identity = |tolerance: &mut Tolerance| tolerance.identity = true;
    both_ways(identity, "\r\nTransfer-Encoding: identity\r\n\r\n", "", BodyLength::UntilClose);
    both_ways(
        identity,
        "\r\nTransfer-Encoding: Identity\r\nContent-Length: 5\r\n\r\n",
        "Content-Length=5;",
        BodyLength::Length(5),
    );
    both_ways(
        identity,
        "\r\nTransfer-Encoding: identity, chunked\r\n\r\n",
        "Transfer-Encoding=chunked;",
        BodyLength::Chunked,
    );
    for bad in ["gzip", "identity, gzip", "identity\r\nTransfer-Encoding: x", ""] {
        let text = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {bad}\r\n\r\n");
        assert!(!matches!(read(&text, &with(identity)), Ok((_, Ok(_)))), "{bad}");
    }
}

#[test]
fn all_at_once_and_nothing_else() {
    let all = with(|tolerance| *tolerance = Tolerance::ALL);
    let text =
        "HTTP/1.1 200 OK\nA : b\n c\nContent-Length : 5\nContent-Length: 5\nTransfer-Encoding : identity\n\n";
    let (head, length) = read(text, &all).unwrap();
    assert_eq!((&*fields(&head), length), ("A=b c;Content-Length=5;", Ok(BodyLength::Length(5))));
    for bad in
        ["A: \0\n\n", "A: \x01\n\n", "A\n\n", ": b\n\n", "Content-Length: 1\nTransfer-Encoding: chunked\n\n"]
    {
        assert!(!matches!(read(&format!("HTTP/1.1 200 OK\n{bad}"), &all), Ok((_, Ok(_)))), "{bad:?}");
    }
    assert!(read("HTTP/1.1  200 OK\n\n", &all).is_err());
}
