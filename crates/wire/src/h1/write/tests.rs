use super::*;
use crate::h1::framing;
use crate::h1::parse;
use crate::head::Slots;
use proptest::prelude::*;

fn request(text: &str) -> RequestHead {
    parse::request(text.as_bytes().to_vec(), Slots::default(), &Default::default()).expect(text)
}

fn response(text: &str) -> ResponseHead {
    parse::response(text.as_bytes().to_vec(), Slots::default(), &Default::default()).expect(text)
}

fn check_request(text: &str, framing: Framing<'_>, expect: &str) {
    let mut out = Vec::new();
    request_head(&request(text), &framing, &mut out);
    assert_eq!(String::from_utf8_lossy(&out), expect);
}

fn check_response(text: &str, framing: Framing<'_>, expect: &str) {
    let mut out = Vec::new();
    response_head(&response(text), &framing, &mut out);
    assert_eq!(String::from_utf8_lossy(&out), expect);
}

#[test]
fn requests_leave_in_canonical_form() {
    check_request(
        "GET /a HTTP/1.0\r\nhost:\ta \r\nX-E:\r\nX-T: \t\r\nX:  b\tc \r\n\r\n",
        Framing::of(BodyLength::None),
        "GET /a HTTP/1.1\r\nhost: a\r\nX-E:\r\nX-T:\r\nX: b\tc\r\n\r\n",
    );
    check_request(
        "GET /a HTTP/1.0\r\nX: 1\r\n\r\n",
        Framing::of(BodyLength::None),
        "GET /a HTTP/1.1\r\nHost:\r\nX: 1\r\n\r\n",
    );
}

#[test]
fn framing_is_computed_and_never_copied() {
    let text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0010\r\nConnection: x\r\nTE: gzip\r\nKeep-Alive: 5\r\nX: 1\r\n\r\n";
    check_request(
        text,
        Framing { connection: Some(b"close"), ..Framing::of(BodyLength::Length(10)) },
        "POST / HTTP/1.1\r\nHost: a\r\nX: 1\r\nContent-Length: 10\r\nConnection: close\r\n\r\n",
    );
    check_request(
        text,
        Framing::of(BodyLength::Chunked),
        "POST / HTTP/1.1\r\nHost: a\r\nX: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    check_request(text, Framing::of(BodyLength::None), "POST / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n");
}

#[test]
fn answers_leave_in_canonical_form() {
    check_response(
        "HTTP/1.0 200 OK\r\nServer:a\r\nTransfer-Encoding: x\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n",
        Framing::of(BodyLength::Length(u64::MAX)),
        "HTTP/1.1 200 OK\r\nServer: a\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 18446744073709551615\r\n\r\n",
    );
    check_response("HTTP/1.1 204\r\n\r\n", Framing::of(BodyLength::None), "HTTP/1.1 204 \r\n\r\n");
    check_response(
        "HTTP/1.1 200 OK\r\n\r\n",
        Framing { connection: Some(b"close"), ..Framing::of(BodyLength::UntilClose) },
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    );
}

#[test]
fn an_answer_to_head_keeps_its_length_as_information() {
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 012\r\n\r\n";
    let info =
        Framing { length_info: framing::stated_length(&response(text)), ..Framing::of(BodyLength::None) };
    check_response(text, info, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n");
    let ignored = Framing { length_info: Some(12), ..Framing::of(BodyLength::Chunked) };
    check_response(text, ignored, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
}

#[test]
fn an_upgrade_is_written_with_its_option() {
    check_request(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c, websocket\r\nConnection: upgrade, close\r\n\r\n",
        Framing { upgrade: Some(b"websocket"), connection: Some(b"close"), ..Framing::of(BodyLength::None) },
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
}

#[test]
fn decimals_are_whole() {
    for number in [0, 9, 10, 12345, u64::MAX] {
        let mut out = Vec::new();
        decimal(number, &mut out);
        assert_eq!(out, number.to_string().into_bytes());
    }
}

fn field() -> impl Strategy<Value = (String, Vec<u8>)> {
    let value =
        proptest::collection::vec(prop_oneof![4 => 0x21u8..0x7f, 1 => Just(b' '), 1 => 0x80u8..], 0..20);
    ("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}", value.prop_map(|value| crate::token::trim(&value).to_vec()))
}

#[test]
fn lines_leave_in_one_form_whether_they_came_in_it_or_not() {
    let mut head = request(
        "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB:2\r\nC:   3\t\r\nD:\r\nE: \r\nConnection: x\r\nF: 6\r\nG: 7\r\n\r\n",
    );
    head.fields_mut().set(b"A", b"one").expect("valid");
    head.fields_mut().append(b"H", b" 8 ").expect("valid");
    head.fields_mut().append(b"I", b"").expect("valid");
    let mut out = Vec::new();
    request_head(&head, &Framing::of(BodyLength::None), &mut out);
    assert_eq!(
        String::from_utf8_lossy(&out),
        "GET / HTTP/1.1\r\nHost: a\r\nA: one\r\nB: 2\r\nC: 3\r\nD:\r\nE:\r\nF: 6\r\nG: 7\r\nH: 8\r\nI:\r\n\r\n"
    );
}

proptest! {
    /// What we write is read again as the same message, by us and by an independent parser.
    #[test]
    fn what_is_written_reads_back_the_same(
        target in "/[a-z0-9%/?&=.-]{0,30}",
        fields in proptest::collection::vec(field(), 0..10),
        length in prop_oneof![
            Just(BodyLength::None),
            any::<u32>().prop_map(|length| BodyLength::Length(length.into())),
            Just(BodyLength::Chunked),
        ],
    ) {
        let mut head = request("PUT / HTTP/1.1\r\nHost: a\r\n\r\n");
        head.set_target(target.as_bytes()).expect("visible");
        for (name, value) in &fields {
            head.fields_mut().append(name.as_bytes(), value).expect("valid");
        }
        let mut out = Vec::new();
        request_head(&head, &Framing::of(length), &mut out);

        let again = parse::request(out.clone(), Slots::default(), &Default::default()).expect("valid");
        prop_assert_eq!((again.method(), again.target()), (&b"PUT"[..], target.as_bytes()));
        prop_assert_eq!(framing::request(&again), Ok(length));
        let kept = |fields: &Fields| -> Vec<_> {
            let kept = fields.iter_known().filter(|(known, _, _)| !known.is_some_and(is_ours));
            kept.map(|(_, name, value)| (name.to_vec(), value.to_vec())).collect()
        };
        prop_assert_eq!(kept(again.fields()), kept(head.fields()));

        let mut slots = [httparse::EMPTY_HEADER; 32];
        let mut theirs = httparse::Request::new(&mut slots);
        prop_assert_eq!(theirs.parse(&out), Ok(httparse::Status::Complete(out.len())));
        prop_assert_eq!(theirs.path, Some(target.as_str()));
        prop_assert_eq!(theirs.headers.len(), again.fields().len());
        for (header, (name, value)) in theirs.headers.iter().zip(again.fields().iter()) {
            prop_assert_eq!((header.name.as_bytes(), header.value), (name, value));
        }
    }
}
