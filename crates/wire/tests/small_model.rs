//! The combination of Content-Length, Transfer-Encoding, version, method, status and body, exhaustively over a small
//! model, against an oracle that was written from RFC 9112 section 6 without a look at the code.
//!
//! The model: every list of up to two lines of [`LINES`] (and, with a neutral line between them, every pair again) for
//! both versions, in requests of each method and in answers of each status to each method, followed by each of
//! [`BYTES`]. What is compared is the whole reading: refused, incomplete, or which body and how many bytes it took.

use wire::h1::{framing, parse};
use wire::{BodyLength, Decoded, Decoder, HeadScanner, Kind, Limits, Method, Slots, check};

/// What a value means as a statement of length, by the letter of RFC 9110 section 8.6 and RFC 9112 section 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Length(u64),
    Chunked,
    /// It is a length field, but states none.
    BadLength,
    /// It is a coding field that does not say `chunked` and nothing else.
    BadCoding,
    /// It has nothing to do with framing.
    Nothing,
}

use Says::{BadCoding, BadLength, Chunked, Length, Nothing};

/// Representatives: each way to state a length, each published way to state one badly, and look-alikes.
const LINES: &[(&str, Says)] = &[
    ("Content-Length: 0", Length(0)),
    ("content-length:5", Length(5)),
    ("CONTENT-LENGTH: \t5\t ", Length(5)),
    ("Content-Length: 0005", Length(5)),
    ("Content-Length: 9223372036854775807", Length(9_223_372_036_854_775_807)),
    ("Content-Length: 9223372036854775808", BadLength),
    ("Content-Length: 18446744073709551621", BadLength),
    ("Content-Length:", BadLength),
    ("Content-Length: 5, 5", BadLength),
    ("Content-Length: +5", BadLength),
    ("Content-Length: 5 5", BadLength),
    ("Content-Length: 0x5", BadLength),
    ("Transfer-Encoding: chunked", Chunked),
    ("transfer-encoding:CHUNKED", Chunked),
    ("Transfer-Encoding:", BadCoding),
    ("Transfer-Encoding: gzip", BadCoding),
    ("Transfer-Encoding: identity", BadCoding),
    ("Transfer-Encoding: gzip, chunked", BadCoding),
    ("Transfer-Encoding: chunked, chunked", BadCoding),
    ("Transfer-Encoding: chunked, identity", BadCoding),
    ("Transfer-Encoding: ,chunked", BadCoding),
    ("Transfer-Encoding: chunked;q=1", BadCoding),
    ("Transfer-Encoding: \"chunked\"", BadCoding),
    ("Transfer-Encoding: xchunked", BadCoding),
    ("Content_Length: 5", Nothing),
    ("Transfer_Encoding: chunked", Nothing),
    ("Content-Encoding: chunked", Nothing),
    ("TE: chunked", Nothing),
];

/// What follows the head, and how it reads as chunked coding: body and bytes taken; none if it is incomplete or wrong.
const BYTES: &[(&str, Chunks)] = &[
    ("", Chunks::Incomplete),
    ("hello", Chunks::Wrong),
    ("hell", Chunks::Wrong),
    ("0\r\n\r\n", Chunks::Whole("", 5)),
    ("0\r\n\r", Chunks::Incomplete),
    ("5\r\nhello\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n", Chunks::Whole("hello", 15)),
    ("5\r\nhello0\r\n\r\n", Chunks::Wrong),
    ("GET /next HTTP/1.1\r\nHost: a\r\n\r\n", Chunks::Wrong),
];

#[derive(Clone, Copy)]
enum Chunks {
    Whole(&'static str, usize),
    Incomplete,
    Wrong,
}

/// A reading of head and body.
#[derive(Debug, PartialEq, Eq)]
enum Reading {
    Refused,
    Incomplete,
    Body { body: Vec<u8>, used: usize },
}

/// RFC 9112 section 6.3 with every "ought to" and "may" answered by refusal; `None` when no field states a length.
fn oracle(version: &str, lines: &[(&str, Says)], rest: &str, chunks: Chunks) -> Option<Reading> {
    let count = |wanted: &[Says]| lines.iter().filter(|(_, says)| wanted.contains(says)).count();
    let codings = count(&[Chunked, BadCoding]);
    let lengths = lines.iter().filter(|(_, says)| matches!(says, Length(_) | BadLength)).count();
    if codings + lengths == 0 {
        return None;
    }
    if codings + lengths > 1 || count(&[BadCoding, BadLength]) > 0 {
        return Some(Reading::Refused);
    }
    if codings == 1 {
        return Some(match chunks {
            _ if version == "1.0" => Reading::Refused,
            Chunks::Whole(body, used) => Reading::Body { body: body.into(), used },
            Chunks::Incomplete => Reading::Incomplete,
            Chunks::Wrong => Reading::Refused,
        });
    }
    let length =
        lines.iter().find_map(|(_, says)| if let Length(length) = says { Some(*length) } else { None });
    let length = usize::try_from(length?).ok()?;
    Some(match rest.as_bytes().get(..length) {
        Some(body) => Reading::Body { body: body.to_vec(), used: length },
        None => Reading::Incomplete,
    })
}

fn read_body(length: BodyLength, input: &[u8]) -> Reading {
    let limits = Limits::default();
    let mut decoder = Decoder::new(length);
    let (mut body, mut used) = (Vec::new(), 0);
    loop {
        match decoder.decode(&input[used..], &limits) {
            Err(_) => return Reading::Refused,
            Ok(Decoded::Done { skip }) => return Reading::Body { body, used: used + skip },
            Ok(Decoded::Data { skip, len, .. }) => {
                used += skip;
                body.extend_from_slice(&input[used..used + len]);
                decoder.consume(len);
                used += len;
            }
            Ok(Decoded::NeedMore { skip }) => {
                used += skip;
                return match decoder.eof() {
                    Ok(()) => Reading::Body { body, used },
                    Err(_) => Reading::Incomplete,
                };
            }
        }
    }
}

fn read_request(bytes: &[u8]) -> Reading {
    let limits = Limits::default();
    let Ok(Some(len)) = HeadScanner::new(Kind::Request).scan(bytes, &limits) else { return Reading::Refused };
    let Ok(head) = parse::request(bytes[..len].to_vec(), Slots::default(), &limits) else {
        return Reading::Refused;
    };
    match (check::request_semantics(&head), framing::request(&head)) {
        (Ok(()), Ok(length)) => read_body(length, &bytes[len..]),
        _ => Reading::Refused,
    }
}

fn read_response(bytes: &[u8], method: Method) -> Reading {
    let limits = Limits::default();
    let Ok(Some(len)) = HeadScanner::new(Kind::Response).scan(bytes, &limits) else {
        return Reading::Refused;
    };
    let Ok(head) = parse::response(bytes[..len].to_vec(), Slots::default(), &limits) else {
        return Reading::Refused;
    };
    match framing::response(&head, method) {
        Ok(length) => read_body(length, &bytes[len..]),
        Err(_) => Reading::Refused,
    }
}

/// Every list of up to two lines, with and without a line between two.
fn each_list(mut visit: impl FnMut(&[(&str, Says)])) {
    visit(&[]);
    for &first in LINES {
        visit(&[first]);
        for &second in LINES {
            visit(&[first, second]);
            visit(&[first, ("X-Between: 5", Nothing), second]);
        }
    }
}

fn field_lines(lines: &[(&str, Says)]) -> String {
    lines.iter().map(|(line, _)| format!("{line}\r\n")).collect()
}

#[test]
fn every_request_of_the_small_model_is_read_as_the_rfc_says() {
    let mut cases = 0;
    each_list(|lines| {
        let fields = field_lines(lines);
        for version in ["1.0", "1.1"] {
            for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE", "BREW"] {
                for &(rest, chunks) in BYTES {
                    let stated = oracle(version, lines, rest, chunks);
                    // RFC 9110 section 9.3.8: no content in TRACE. Section 6.3 rule 7: no field, no body, whatever
                    // the method.
                    let states_content = lines.iter().any(|(_, says)| !matches!(says, Length(0) | Nothing));
                    let expect = match stated {
                        Some(_) if method == "TRACE" && states_content => Reading::Refused,
                        Some(reading) => reading,
                        None => Reading::Body { body: Vec::new(), used: 0 },
                    };
                    let text = format!("{method} / HTTP/{version}\r\nHost: a\r\n{fields}\r\n{rest}");
                    assert_eq!(read_request(text.as_bytes()), expect, "{text:?}");
                    cases += 1;
                }
            }
        }
    });
    assert_eq!(cases, (1 + LINES.len() + 2 * LINES.len().pow(2)) * 2 * 7 * BYTES.len());
}

#[test]
fn every_answer_of_the_small_model_is_read_as_the_rfc_says() {
    each_list(|lines| {
        let fields = field_lines(lines);
        for version in ["1.0", "1.1"] {
            for status in ["100", "101", "103", "200", "204", "205", "206", "304", "404", "500"] {
                for method in [Method::Get, Method::Head, Method::Post] {
                    for &(rest, chunks) in BYTES {
                        let stated = oracle(version, lines, rest, chunks);
                        // Rule 1: no body whatever the fields say; but fields that lie are refused all the same.
                        let lies = stated.is_some()
                            && oracle(version, lines, LONG, HARMLESS) == Some(Reading::Refused);
                        let bodiless =
                            method == Method::Head || matches!(status, "100" | "101" | "103" | "204" | "304");
                        let expect = match stated {
                            _ if bodiless && lies => Reading::Refused,
                            _ if bodiless => Reading::Body { body: Vec::new(), used: 0 },
                            Some(reading) => reading,
                            // Rule 8: until the connection closes.
                            None => Reading::Body { body: rest.into(), used: rest.len() },
                        };
                        let text = format!("HTTP/{version} {status} X\r\n{fields}\r\n{rest}");
                        assert_eq!(read_response(text.as_bytes(), method), expect, "{method:?} {text:?}");
                    }
                }
            }
        }
    });
}

/// Bytes with which no statement is refused for what follows it: a chunked body that is whole.
const LONG: &str = "0\r\n\r\n";
const HARMLESS: Chunks = Chunks::Whole("", 5);
