//! Any bytes as a request head: one verdict for any cut, and a canonical copy that reads back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::h1::{framing, parse, write};
use wire::{Fields, HeadScanner, Kind, Limits, ParseError, RequestHead, Slots, check, hop};

fn scan(bytes: &[u8], step: usize, limits: &Limits) -> Result<Option<usize>, ParseError> {
    let mut scanner = HeadScanner::new(Kind::Request);
    let mut seen = 0;
    loop {
        seen = (seen + step).min(bytes.len());
        let found = scanner.scan(&bytes[..seen], limits)?;
        if found.is_some() || seen == bytes.len() {
            return Ok(found);
        }
    }
}

fn pairs(fields: &Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
    fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

fn parse_whole(bytes: &[u8], limits: &Limits) -> Option<RequestHead> {
    parse::request(bytes.to_vec(), Slots::default(), limits).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let small = Limits { head_max: 256, line_max: 64, target_max: 48, fields_max: 6, ..Limits::default() };
    for limits in [Limits::default(), small] {
        let whole = scan(bytes, bytes.len().max(1), &limits);
        assert_eq!(scan(bytes, 1, &limits), whole);
        assert_eq!(scan(bytes, 5, &limits), whole);
    }

    let limits = Limits::default();
    // The parser alone must hold without the scanner before it.
    let _ = parse_whole(bytes, &limits);
    let Ok(Some(len)) = scan(bytes, bytes.len().max(1), &limits) else { return };
    let Some(mut head) = parse_whole(&bytes[..len], &limits) else { return };
    assert_eq!(head.wire_len(), len);
    let (Ok(()), Ok(length)) = (check::request_semantics(&head), framing::request(&head)) else { return };

    head.make_origin_form().expect("room for one target");
    hop::remove_hop_by_hop(head.fields_mut());
    let mut once = Vec::new();
    write::request_head(&head, &write::Framing::of(length), &mut once);
    // A request without Host, which HTTP/1.0 allows, gets an empty one: at the bounds that is a line more than came.
    let wider = Limits { fields_max: limits.fields_max + 1, head_max: limits.head_max + 64, ..limits };
    let again = parse_whole(&once, &wider).expect("what we write is valid");
    assert_eq!((again.method(), again.target()), (head.method(), head.target()));
    assert_eq!(framing::request(&again), Ok(length));
    if head.host().is_some() {
        assert_eq!(check::request_semantics(&again), Ok(()));
    }
    // Written twice, the copy is the same: the form is canonical.
    let mut twice = Vec::new();
    write::request_head(&again, &write::Framing::of(length), &mut twice);
    assert_eq!(once, twice);
    assert!(pairs(again.fields()).iter().all(|(name, value)| {
        wire::token::is_token(name) && wire::token::is_value(value) && wire::token::trim(value) == value
    }));
});
