//! Any bytes as a chunked body: one outcome for any cut, and a second pass that changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{BodyError, BodyLength, Decoded, Decoder, Encoder, Limits};

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// Data with the source's chunk bounds: what the encoder makes of it, without the end.
    framed: Vec<u8>,
    data: Vec<u8>,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
    used: usize,
    end: Result<(), BodyError>,
    /// The body as we would write it; only when it is complete.
    out: Option<Vec<u8>>,
}

fn decode(input: &[u8], step: usize, bite: usize, limits: &Limits) -> Seen {
    let mut decoder = Decoder::new(BodyLength::Chunked);
    let mut encoder = Encoder::new(BodyLength::Chunked);
    let mut seen = Seen { framed: vec![], data: vec![], trailers: vec![], used: 0, end: Ok(()), out: None };
    let mut arrived = 0;
    loop {
        match decoder.decode(&input[seen.used..arrived], limits) {
            Err(error) => {
                (seen.used, seen.end) = (0, Err(error));
                return seen;
            }
            Ok(Decoded::Done { skip }) => {
                seen.used += skip;
                let trailers = decoder.take_trailers();
                seen.trailers =
                    trailers.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
                let mut out = seen.framed.clone();
                encoder.finish(Some(&trailers), &mut out).expect("every chunk is complete");
                seen.out = Some(out);
                return seen;
            }
            Ok(Decoded::Data { skip, len, chunk_left }) => {
                seen.used += skip;
                assert!(len > 0 && chunk_left.is_some_and(|left| left >= len as u64));
                let framed = encoder.frame(len.min(bite), chunk_left);
                assert_eq!(framed.take, len.min(bite));
                let data = &input[seen.used..seen.used + framed.take];
                seen.framed.extend_from_slice(framed.prefix.as_ref());
                seen.framed.extend_from_slice(data);
                seen.framed.extend_from_slice(framed.suffix);
                seen.data.extend_from_slice(data);
                decoder.consume(framed.take);
                seen.used += framed.take;
            }
            Ok(Decoded::NeedMore { skip }) => {
                seen.used += skip;
                if arrived == input.len() {
                    seen.end = decoder.eof();
                    return seen;
                }
                arrived = arrived.saturating_add(step).min(input.len());
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let small = Limits {
        chunk_line_max: 12,
        chunk_ext_total_max: 20,
        trailer_max: 40,
        trailer_fields_max: 2,
        ..Limits::default()
    };
    for limits in [Limits::default(), small] {
        let whole = decode(input, usize::MAX, usize::MAX, &limits);
        assert_eq!(decode(input, 1, 1, &limits), whole);
        assert_eq!(decode(input, 3, usize::MAX, &limits), whole);
        assert_eq!(decode(input, usize::MAX, 2, &limits), whole);
    }
    let limits = Limits::default();
    let first = decode(input, usize::MAX, usize::MAX, &limits);
    if let Some(out) = &first.out {
        let second = decode(out, usize::MAX, usize::MAX, &limits);
        assert_eq!((&second.data, &second.trailers, second.end), (&first.data, &first.trailers, Ok(())));
        assert_eq!(second.out.as_ref(), Some(out));
        assert_eq!(second.used, out.len());
    }
});
