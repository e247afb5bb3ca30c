//! Framing fields of any value, in any number and order. The input is a list of lines: the first byte of each says
//! which field it is, the rest is its value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::h1::framing::{self, BodyLength};
use wire::h1::parse;
use wire::{Known, Limits, Method, RequestHead, ResponseHead, Slots};

fn fields(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in input.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let name: &[u8] = match line[0] % 6 {
            0 => b"Content-Length",
            1 => b"Transfer-Encoding",
            2 => b"content-length",
            3 => b"TRANSFER-ENCODING",
            4 => b"Content_Length",
            _ => b"X",
        };
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(&line[1..]);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn check(request: &RequestHead, stated: BodyLength) {
    let fields = request.fields();
    let (lengths, codings) = (fields.count(Known::ContentLength), fields.count(Known::TransferEncoding));
    match stated {
        BodyLength::None => assert_eq!((lengths, codings), (0, 0)),
        BodyLength::Length(length) => {
            assert_eq!((lengths, codings), (1, 0));
            let text =
                fields.get(Known::ContentLength).map(|value| String::from_utf8_lossy(value).into_owned());
            assert_eq!(text.and_then(|text| text.parse().ok()), Some(length));
            assert!(i64::try_from(length).is_ok());
        }
        BodyLength::Chunked => {
            assert_eq!((lengths, codings), (0, 1));
            assert!(fields.contains_token(Known::TransferEncoding, b"chunked"));
        }
        BodyLength::UntilClose => panic!("a request is never ended by the connection"),
    }
}

fuzz_target!(|input: &[u8]| {
    let limits = Limits::default();
    for version in ["1.0", "1.1"] {
        let request = [format!("POST / HTTP/{version}\r\n").as_bytes(), &fields(input)].concat();
        let response = [format!("HTTP/{version} 200 OK\r\n").as_bytes(), &fields(input)].concat();
        let request = parse::request(request, Slots::default(), &limits);
        let response: Result<ResponseHead, _> = parse::response(response, Slots::default(), &limits);
        let (Ok(request), Ok(response)) = (request, response) else { return };

        let verdict = framing::request(&request);
        if let Ok(stated) = verdict {
            assert!(version == "1.1" || stated != BodyLength::Chunked);
            check(&request, stated);
        }
        // The rules for the fields are the same in both directions; only their absence differs.
        let expect =
            verdict.map(|stated| if stated == BodyLength::None { BodyLength::UntilClose } else { stated });
        assert_eq!(framing::response(&response, Method::Get), expect);
        assert_eq!(framing::response(&response, Method::Head), expect.map(|_| BodyLength::None));
    }
});
