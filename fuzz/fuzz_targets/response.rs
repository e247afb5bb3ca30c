//! Any bytes as an answer's head: one verdict for any cut, and a canonical copy that reads back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::h1::{framing, parse, write};
use wire::{HeadScanner, Kind, Limits, Method, ParseError, ResponseHead, Slots, hop};

fn scan(bytes: &[u8], step: usize, limits: &Limits) -> Result<Option<usize>, ParseError> {
    let mut scanner = HeadScanner::new(Kind::Response);
    let mut seen = 0;
    loop {
        seen = (seen + step).min(bytes.len());
        let found = scanner.scan(&bytes[..seen], limits)?;
        if found.is_some() || seen == bytes.len() {
            return Ok(found);
        }
    }
}

fn parse_whole(bytes: &[u8], limits: &Limits) -> Option<ResponseHead> {
    parse::response(bytes.to_vec(), Slots::default(), limits).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let small = Limits { head_max: 256, line_max: 64, fields_max: 6, ..Limits::default() };
    for limits in [Limits::default(), small] {
        let whole = scan(bytes, bytes.len().max(1), &limits);
        assert_eq!(scan(bytes, 1, &limits), whole);
        assert_eq!(scan(bytes, 5, &limits), whole);
    }

    let limits = Limits::default();
    let _ = parse_whole(bytes, &limits);
    let Ok(Some(len)) = scan(bytes, bytes.len().max(1), &limits) else { return };
    let Some(mut head) = parse_whole(&bytes[..len], &limits) else { return };
    assert!((100..=999).contains(&head.status()));
    let Ok(length) = framing::response(&head, Method::Get) else { return };
    assert_eq!(framing::response(&head, Method::Head), Ok(wire::BodyLength::None));

    hop::remove_hop_by_hop(head.fields_mut());
    let mut once = Vec::new();
    write::response_head(&head, &write::Framing::of(length), &mut once);
    let again = parse_whole(&once, &limits).expect("what we write is valid");
    assert_eq!((again.status(), again.reason()), (head.status(), head.reason()));
    assert_eq!(framing::response(&again, Method::Get), Ok(length));
    let mut twice = Vec::new();
    write::response_head(&again, &write::Framing::of(length), &mut twice);
    assert_eq!(once, twice);
});
