use super::*;
use crate::h1::parse;
use crate::head::Slots;

use FramingError::*;

fn request_head(version: &str, fields: &str) -> RequestHead {
    let text = format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
    parse::request(text.into_bytes(), Slots::default(), &Default::default()).expect("valid head")
}

fn response_head(version: &str, status: u16, fields: &str) -> ResponseHead {
    let text = format!("HTTP/{version} {status} X\r\n{fields}\r\n");
    parse::response(text.into_bytes(), Slots::default(), &Default::default()).expect("valid head")
}

/// Version, framing fields, and what they state.
type Row = (&'static str, &'static str, Result<Option<BodyLength>, FramingError>);

/// One table for both directions, as the rules for the fields are the same.
const STATED: &[Row] = &[
    ("1.1", "", Ok(None)),
    ("1.1", "Content-Length: 0\r\n", Ok(Some(BodyLength::Length(0)))),
    ("1.1", "content-length:5\r\n", Ok(Some(BodyLength::Length(5)))),
    ("1.0", "Content-Length: 5\r\n", Ok(Some(BodyLength::Length(5)))),
    ("1.1", "Content-Length: 0010\r\n", Ok(Some(BodyLength::Length(10)))),
    ("1.1", "Content-Length: 9223372036854775807\r\n", Ok(Some(BodyLength::Length(LENGTH_MAX)))),
    ("1.1", "Content-Length: 9223372036854775808\r\n", Err(LengthTooLarge)),
    ("1.1", "Content-Length: 18446744073709551621\r\n", Err(LengthTooLarge)),
    ("1.1", "Content-Length: 99999999999999999999999999\r\n", Err(LengthTooLarge)),
    ("1.1", "Content-Length:\r\n", Err(LengthMalformed)),
    ("1.1", "Content-Length: +5\r\n", Err(LengthMalformed)),
    ("1.1", "Content-Length: -5\r\n", Err(LengthMalformed)),
    ("1.1", "Content-Length: 5, 5\r\n", Err(LengthMalformed)),
    ("1.1", "Content-Length: 5,\r\n", Err(LengthMalformed)),
    ("1.1", "Content-Length: 1 0\r\n", Err(LengthMalformed)),
    ("1.1", "Content-Length: 0x5\r\n", Err(LengthMalformed)),
    ("1.1", "Content-Length: 1_0\r\n", Err(LengthMalformed)),
    ("1.1", "Content-Length: \u{665}\r\n", Err(LengthMalformed)),
    ("1.1", "Content-Length: 5\r\nContent-Length: 5\r\n", Err(LengthTwice)),
    ("1.1", "Content-Length: 5\r\nX: y\r\ncontent-length: 6\r\n", Err(LengthTwice)),
    ("1.1", "Transfer-Encoding: chunked\r\n", Ok(Some(BodyLength::Chunked))),
    ("1.1", "transfer-encoding:\tChUnKeD \r\n", Ok(Some(BodyLength::Chunked))),
    ("1.0", "Transfer-Encoding: chunked\r\n", Err(TransferEncodingInHttp10)),
    ("1.0", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Err(TransferEncodingWithLength)),
    ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Err(TransferEncodingWithLength)),
    ("1.1", "Content-Length: x\r\nTransfer-Encoding: y\r\n", Err(TransferEncodingWithLength)),
    ("1.1", "Transfer-Encoding:\r\nContent-Length: 5\r\n", Err(TransferEncodingWithLength)),
    ("1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(TransferEncodingTwice)),
    ("1.1", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", Err(TransferEncodingTwice)),
    ("1.1", "Transfer-Encoding:\r\n", Err(TransferEncodingMalformed)),
    ("1.1", "Transfer-Encoding: chunked,\r\n", Err(TransferEncodingMalformed)),
    ("1.1", "Transfer-Encoding: ,chunked\r\n", Err(TransferEncodingMalformed)),
    ("1.1", "Transfer-Encoding: a b\r\n", Err(TransferEncodingMalformed)),
    ("1.1", "Transfer-Encoding: \"chunked\"\r\n", Err(TransferEncodingMalformed)),
    ("1.1", "Transfer-Encoding: chunked;\r\n", Err(ChunkedNotFinal)),
    ("1.1", "Transfer-Encoding: chunked;a=b\r\n", Err(ChunkedNotFinal)),
    ("1.1", "Transfer-Encoding: chunked, chunked\r\n", Err(ChunkedNotFinal)),
    ("1.1", "Transfer-Encoding: chunked, identity\r\n", Err(ChunkedNotFinal)),
    ("1.1", "Transfer-Encoding: gzip\r\n", Err(TransferCodingUnknown)),
    ("1.1", "Transfer-Encoding: xchunked\r\n", Err(TransferCodingUnknown)),
    ("1.1", "Transfer-Encoding: gzip, chunked\r\n", Err(TransferCodingUnknown)),
    ("1.1", "Transfer-Encoding: identity, chunked\r\n", Err(TransferCodingUnknown)),
    ("1.1", "Content-Encoding: chunked\r\nTransfer_Encoding: chunked\r\n", Ok(None)),
];

#[test]
fn requests_have_one_length_or_are_refused() {
    for (version, fields, stated) in STATED {
        let expect = stated.map(|stated| stated.unwrap_or(BodyLength::None));
        assert_eq!(request(&request_head(version, fields)), expect, "{version} {fields:?}");
    }
}

#[test]
fn answers_have_one_length_or_are_refused() {
    for (version, fields, stated) in STATED {
        let expect = stated.map(|stated| stated.unwrap_or(BodyLength::UntilClose));
        let head = response_head(version, 200, fields);
        assert_eq!(response(&head, Method::Get), expect, "{version} {fields:?}");
    }
}

#[test]
fn some_answers_have_no_body_whatever_they_say() {
    for (version, fields, stated) in STATED {
        let expect = stated.map(|_| BodyLength::None);
        assert_eq!(response(&response_head(version, 200, fields), Method::Head), expect, "HEAD {fields:?}");
        for status in [100, 101, 103, 199, 204, 304] {
            let head = response_head(version, status, fields);
            assert_eq!(response(&head, Method::Get), expect, "{status} {fields:?}");
        }
    }
    assert_eq!(response(&response_head("1.1", 205, ""), Method::Get), Ok(BodyLength::UntilClose));
}

#[test]
fn the_method_of_a_request_plays_no_part() {
    let text = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    let head =
        parse::request(text.as_bytes().to_vec(), Slots::default(), &Default::default()).expect("valid");
    assert_eq!(request(&head), Ok(BodyLength::Length(3)));
}

#[test]
fn a_stated_length_is_information() {
    assert_eq!(stated_length(&response_head("1.1", 304, "Content-Length: 12\r\n")), Some(12));
    assert_eq!(stated_length(&response_head("1.1", 200, "Transfer-Encoding: chunked\r\n")), None);
    assert_eq!(stated_length(&response_head("1.1", 200, "Content-Length: x\r\n")), None);
    assert_eq!(stated_length(&response_head("1.1", 200, "")), None);
}
