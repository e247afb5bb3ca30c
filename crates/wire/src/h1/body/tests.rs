use super::*;
use crate::h1::error::BodyError;
use crate::h1::framing::BodyLength;
use crate::h1::limits::Limits;
use crate::head::Fields;
use proptest::prelude::*;

/// Everything a decoder makes of its input.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    body: Vec<u8>,
    /// Sizes of the source chunks, in order.
    chunks: Vec<u64>,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes of the input that belong to the body.
    used: usize,
    end: Result<(), BodyError>,
}

/// Decodes with `step` bytes of input coming at once and at most `bite` bytes of data consumed at once.
fn decode(length: BodyLength, input: &[u8], step: usize, bite: usize, limits: &Limits) -> Seen {
    let mut decoder = Decoder::new(length);
    let mut seen = Seen { body: vec![], chunks: vec![], trailers: vec![], used: 0, end: Ok(()) };
    let (mut arrived, mut in_chunk) = (0, false);
    loop {
        match decoder.decode(&input[seen.used..arrived], limits) {
            Err(error) => {
                assert_eq!(decoder.decode(b"0\r\n\r\n", limits), Err(error), "errors last");
                // How much framing was skipped before an error depends on the cut, and nobody may use it.
                (seen.used, seen.end) = (0, Err(error));
                return seen;
            }
            Ok(Decoded::Done { skip }) => {
                seen.used += skip;
                assert!(decoder.is_done());
                seen.trailers = pairs(&decoder.take_trailers());
                return seen;
            }
            Ok(Decoded::Data { skip, len, chunk_left }) => {
                seen.used += skip;
                let taken = len.min(bite);
                seen.body.extend_from_slice(&input[seen.used..seen.used + taken]);
                if let Some(left) = chunk_left {
                    if !in_chunk {
                        seen.chunks.push(left);
                    }
                    in_chunk = left > taken as u64;
                }
                seen.used += taken;
                decoder.consume(taken);
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

fn pairs(fields: &Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
    fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

fn chunked(input: &[u8]) -> Seen {
    let limits = Limits::default();
    let whole = decode(BodyLength::Chunked, input, usize::MAX, usize::MAX, &limits);
    for (step, bite) in [(1, 1), (1, usize::MAX), (3, 2), (usize::MAX, 1)] {
        assert_eq!(decode(BodyLength::Chunked, input, step, bite, &limits), whole, "{step} {bite} {input:?}");
    }
    whole
}

fn check_good(input: &str, body: &str, chunks: &[u64]) {
    let seen = chunked(input.as_bytes());
    assert_eq!(seen.end, Ok(()), "{input:?}");
    assert_eq!((seen.body.as_slice(), seen.chunks.as_slice()), (body.as_bytes(), chunks), "{input:?}");
}

fn check_bad(input: &str, expect: BodyError) {
    assert_eq!(chunked(input.as_bytes()).end, Err(expect), "{input:?}");
}

#[test]
fn reads_chunks() {
    check_good("0\r\n\r\n", "", &[]);
    check_good("5\r\nhello\r\n0\r\n\r\n", "hello", &[5]);
    check_good("2\r\nhe\r\n3\r\nllo\r\n000\r\n\r\n", "hello", &[2, 3]);
    check_good("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", &[10, 10]);
    check_good("0000000000000001\r\nx\r\n0\r\n\r\n", "x", &[1]);
    check_good("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", &[2]);
}

#[test]
fn drops_chunk_extensions() {
    for extension in [";a", ";a=b", "; a = b", " ;a", ";a=\"b;c\\\"d\"", ";a;b=c", ";a=b ; c", ";a=\"\""] {
        check_good(&format!("5{extension}\r\nhello\r\n0{extension}\r\n\r\n"), "hello", &[5]);
    }
}

#[test]
fn the_body_ends_before_the_next_message() {
    let seen = chunked(b"1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    assert_eq!((seen.used, seen.end), (11, Ok(())));
    let limits = Limits::default();
    let seen = decode(BodyLength::Length(3), b"abcdef", 2, usize::MAX, &limits);
    assert_eq!((seen.used, seen.body.as_slice(), seen.end), (3, &b"abc"[..], Ok(())));
    for length in [BodyLength::None, BodyLength::Length(0)] {
        assert_eq!(decode(length, b"abc", 1, 1, &limits).used, 0);
    }
}

#[test]
fn refuses_malformed_chunk_sizes() {
    use BodyError::*;
    for line in ["", "g", "0x5", "+5", "-5", " 5", "\t5", "5 ", "5 x", "5g", "5,", "\u{665}", ";a", "5\0"] {
        check_bad(&format!("{line}\r\nhello\r\n0\r\n\r\n"), ChunkSizeMalformed);
    }
    check_bad("10000000000000005\r\n", ChunkSizeTooLarge);
    check_bad("00000000000000005\r\n", ChunkSizeTooLarge);
    check_bad("8000000000000000\r\n", ChunkSizeTooLarge);
    check_bad("5\r\nhello\r\n\r\n0\r\n\r\n", ChunkSizeMalformed);
}

#[test]
fn refuses_other_line_ends_in_chunks() {
    use BodyError::*;
    check_bad("5\nhello\r\n0\r\n\r\n", ChunkLineBareLf);
    check_bad("5\r\nhello\r\n0\n\r\n", ChunkLineBareLf);
    check_bad("5;a\nhello\r\n", ChunkLineBareLf);
    check_bad("5\rhello\r\n", ChunkLineBareCr);
    check_bad("5\r\r\nhello\r\n", ChunkLineBareCr);
    check_bad("5;a\rb\r\nhello\r\n", ChunkLineBareCr);
    check_bad("2;\nxx\r\n", ChunkLineBareLf);
    check_bad("5\r\nhello\n0\r\n\r\n", ChunkEndMalformed);
    check_bad("5\r\nhello\r0\r\n\r\n", ChunkEndMalformed);
    check_bad("5\r\nhelloXX0\r\n\r\n", ChunkEndMalformed);
    check_bad("5\r\nhello!\r\n0\r\n\r\n", ChunkEndMalformed);
}

#[test]
fn refuses_malformed_extensions() {
    for extension in
        [";", ";a=", ";=b", ";a;", ";a=\"b", ";a=\"b\"c", ";a b", ";a=b c", ";\u{e9}", ";a=(", ";a=\"\\"]
    {
        check_bad(
            &format!("5{extension}\r\nhello\r\n"),
            match extension {
                // A blank after a value can only lead to a semicolon.
                ";a=b c" => BodyError::ChunkSizeMalformed,
                _ => BodyError::ChunkExtensionMalformed,
            },
        );
    }
    check_bad("5;a=\"b\x01\"\r\n", BodyError::ChunkExtensionMalformed);
}

#[test]
fn extensions_are_bounded_by_the_body_they_come_with() {
    let line = format!("5;a={}\r\n", "b".repeat(5000));
    check_bad(&line, BodyError::ChunkLineTooLong);
    let greedy = format!("1;{}\r\nx\r\n", "a".repeat(200)).repeat(100);
    check_bad(&greedy, BodyError::ChunkExtensionsTooLong);
    // A signature on each chunk of a long upload is honest: the data pays for it.
    let honest = format!("400;signature={}\r\n{}\r\n", "a".repeat(80), "x".repeat(1024)).repeat(300);
    let seen = decode(BodyLength::Chunked, honest.as_bytes(), 4096, usize::MAX, &Limits::default());
    assert_eq!((seen.body.len(), seen.end), (300 * 1024, Err(BodyError::Truncated)));
}

#[test]
fn reads_trailers_and_drops_what_may_not_stand_there() {
    let seen =
        chunked(b"1\r\nx\r\n0\r\nX-Check:  1 \r\nHost: evil\r\nx_forwarded_for: 1\r\ngrpc-status: 0\r\n\r\n");
    assert_eq!(seen.end, Ok(()));
    let expect = [(&b"X-Check"[..], &b"1"[..]), (b"grpc-status", b"0")];
    assert_eq!(seen.trailers, expect.map(|(name, value)| (name.to_vec(), value.to_vec())));
}

#[test]
fn refuses_malformed_trailers() {
    use BodyError::*;
    for line in [
        "X-A 1",
        "X(: 1",
        ": 1",
        "X : 1",
        " X: 1",
        "X: 1\r\n 2",
        "X: a\0",
        "X: a\x01",
        "X: a\rb",
        "X: 1\nY: 2",
    ] {
        check_bad(&format!("0\r\n{line}\r\n\r\n"), TrailerMalformed);
    }
    check_bad("0\r\n\n", TrailerMalformed);
    check_bad("0\r\nXX", Truncated);
    check_bad(&format!("0\r\nX: {}\r\n\r\n", "a".repeat(9000)), TrailersTooLong);
    check_bad(&format!("0\r\n{}\r\n", "X: 1\r\n".repeat(33)), TrailersTooMany);
    let most = format!("0\r\n{}\r\n", "X: 1\r\n".repeat(32));
    assert_eq!(chunked(most.as_bytes()).trailers.len(), 32);
}

#[test]
fn a_cut_body_is_never_complete() {
    let whole = b"5;a=b\r\nhello\r\n0\r\nX: 1\r\n\r\n";
    for end in 0..whole.len() {
        assert_eq!(chunked(&whole[..end]).end, Err(BodyError::Truncated), "at {end}");
    }
    let limits = Limits::default();
    assert_eq!(decode(BodyLength::Length(5), b"hell", 1, 1, &limits).end, Err(BodyError::Truncated));
    assert_eq!(decode(BodyLength::Length(5), b"", 1, 1, &limits).end, Err(BodyError::Truncated));
    let seen = decode(BodyLength::UntilClose, b"hello", 2, 2, &limits);
    assert_eq!((seen.body.as_slice(), seen.end), (&b"hello"[..], Ok(())));
}

#[test]
fn taking_too_much_stops_at_the_chunk() {
    let limits = Limits::default();
    let mut decoder = Decoder::new(BodyLength::Chunked);
    assert_eq!(
        decoder.decode(b"2\r\nab", &limits),
        Ok(Decoded::Data { skip: 3, len: 2, chunk_left: Some(2) })
    );
    decoder.consume(9);
    assert_eq!(decoder.decode(b"garbage", &limits), Err(BodyError::ChunkEndMalformed));
    assert_eq!(decoder.eof(), Err(BodyError::ChunkEndMalformed));
}

/// Encodes data in pieces as a relay does.
fn encode(
    length: BodyLength,
    pieces: &[(&[u8], Option<u64>)],
    trailers: Option<&Fields>,
) -> Result<Vec<u8>, BodyError> {
    let mut encoder = Encoder::new(length);
    let mut out = Vec::new();
    for (data, chunk_left) in pieces {
        let framed = encoder.frame(data.len(), *chunk_left);
        out.extend_from_slice(framed.prefix.as_ref());
        out.extend_from_slice(&data[..framed.take]);
        out.extend_from_slice(framed.suffix);
    }
    encoder.finish(trailers, &mut out).map(|()| out)
}

#[test]
fn writes_chunks() {
    let check = |pieces: &[(&[u8], Option<u64>)], expect: &str| {
        let out = encode(BodyLength::Chunked, pieces, None).expect("complete");
        assert_eq!(String::from_utf8_lossy(&out), expect);
    };
    check(&[], "0\r\n\r\n");
    check(&[(b"hello", None), (b"x", None)], "5\r\nhello\r\n1\r\nx\r\n0\r\n\r\n");
    check(&[(b"hel", Some(5)), (b"lo", Some(2))], "5\r\nhello\r\n0\r\n\r\n");
    check(
        &[(b"", None), (b"", Some(0)), (b"", Some(4)), (b"a", Some(0)), (b"b", Some(1))],
        "1\r\nb\r\n0\r\n\r\n",
    );
    let mut encoder = Encoder::new(BodyLength::Chunked);
    let big = encoder.frame(1, Some(0x7fff_ffff_ffff_ffff));
    assert_eq!(big.prefix.as_ref(), b"7fffffffffffffff\r\n");
    assert_eq!((big.take, big.suffix), (1, &b""[..]));
}

#[test]
fn writes_trailers_that_may_stand_there() {
    let mut trailers = Fields::new();
    trailers.append(b"X-Check", b"1").expect("valid");
    trailers.append(b"Content-Length", b"3").expect("valid");
    let out = encode(BodyLength::Chunked, &[], Some(&trailers)).expect("complete");
    assert_eq!(out, b"0\r\nX-Check: 1\r\n\r\n");
    assert_eq!(encode(BodyLength::Length(0), &[], Some(&trailers)), Ok(vec![]));
}

#[test]
fn a_short_body_cannot_be_finished() {
    assert_eq!(encode(BodyLength::Length(3), &[(b"ab", None)], None), Err(BodyError::Short));
    assert_eq!(encode(BodyLength::Chunked, &[(b"ab", Some(3))], None), Err(BodyError::Short));
    assert_eq!(encode(BodyLength::Length(2), &[(b"ab", None)], None), Ok(b"ab".to_vec()));
    assert_eq!(encode(BodyLength::UntilClose, &[(b"ab", None)], None), Ok(b"ab".to_vec()));
}

#[test]
fn more_than_announced_is_not_taken() {
    let mut encoder = Encoder::new(BodyLength::Length(3));
    assert_eq!(encoder.frame(5, None).take, 3);
    assert_eq!(encoder.frame(2, None).take, 0);
    let mut encoder = Encoder::new(BodyLength::None);
    assert_eq!(encoder.frame(2, None).take, 0);
    let mut encoder = Encoder::new(BodyLength::Chunked);
    assert!(encoder.finish(None, &mut Vec::new()).is_ok() && encoder.is_finished());
    let after = encoder.frame(2, None);
    assert_eq!((after.take, after.prefix.as_ref()), (0, &b""[..]));
    let mut out = Vec::new();
    assert!(encoder.finish(None, &mut out).is_ok() && out.is_empty());
}

/// Bytes that are nearly a chunked body.
fn nearly_chunked() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(&b"3\r\nabc\r\n"[..]),
        2 => Just(&b"1;a=\"b\"\r\n\n\r\n"[..]),
        3 => Just(&b"0\r\n"[..]),
        3 => Just(&b"\r\n"[..]),
        1 => Just(&b"X: y\r\n"[..]),
        1 => Just(&b"\n"[..]),
        1 => Just(&b"5"[..]),
        1 => Just(&b";"[..]),
    ];
    let mix =
        prop_oneof![8 => piece.prop_map(<[u8]>::to_vec), 1 => proptest::collection::vec(any::<u8>(), 0..4)];
    proptest::collection::vec(mix, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn segmentation_changes_nothing(input in nearly_chunked(), step in 1usize..9, bite in 1usize..5) {
        for limits in [
            Limits::default(),
            Limits { chunk_line_max: 4, chunk_ext_total_max: 3, trailer_max: 10, trailer_fields_max: 1, ..Limits::default() },
        ] {
            let whole = decode(BodyLength::Chunked, &input, usize::MAX, usize::MAX, &limits);
            prop_assert_eq!(&decode(BodyLength::Chunked, &input, 1, 1, &limits), &whole);
            prop_assert_eq!(&decode(BodyLength::Chunked, &input, step, bite, &limits), &whole);
        }
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(input in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = decode(BodyLength::Chunked, &input, 7, 3, &Limits::default());
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same_chunks(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..8),
        cut in 1usize..20,
        step in 1usize..20,
    ) {
        // Source chunks reach the encoder in pieces of `cut` bytes, with what is left of each.
        let mut pieces = Vec::new();
        for chunk in &chunks {
            let mut rest = &chunk[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                pieces.push((now, Some(rest.len() as u64)));
                rest = later;
            }
        }
        let mut trailers = Fields::new();
        trailers.append(b"X-Check", b"a b").expect("valid");
        let out = encode(BodyLength::Chunked, &pieces, Some(&trailers)).expect("complete");
        let seen = decode(BodyLength::Chunked, &out, step, usize::MAX, &Limits::default());
        prop_assert_eq!(seen.end, Ok(()));
        prop_assert_eq!(seen.used, out.len());
        prop_assert_eq!(seen.body, chunks.concat());
        prop_assert_eq!(seen.chunks, chunks.iter().map(|chunk| chunk.len() as u64).collect::<Vec<_>>());
        prop_assert_eq!(seen.trailers, vec![(b"X-Check".to_vec(), b"a b".to_vec())]);
    }

    /// An independent reading of each chunk-size line that we write.
    #[test]
    fn an_independent_parser_reads_our_chunk_sizes(size in 1u64..=i64::MAX as u64) {
        let framed = Encoder::new(BodyLength::Chunked).frame(1, Some(size));
        let line = framed.prefix.as_ref();
        prop_assert_eq!(httparse::parse_chunk_size(line), Ok(httparse::Status::Complete((line.len(), size))));
    }
}

#[test]
fn blanks_behind_a_chunk_size_are_refused_unless_they_are_tolerated() {
    let decode = |text: &str, limits: &Limits| {
        let mut decoder = Decoder::new(BodyLength::Chunked);
        let mut input = text.as_bytes();
        let mut body = Vec::new();
        loop {
            match decoder.decode(input, limits)? {
                Decoded::Done { .. } => return Ok::<_, BodyError>(body),
                Decoded::Data { skip, len, .. } => {
                    body.extend_from_slice(&input[skip..skip + len]);
                    decoder.consume(len);
                    input = &input[skip + len..];
                }
                Decoded::NeedMore { skip } if skip < input.len() => input = &input[skip..],
                Decoded::NeedMore { .. } => return Err(BodyError::Truncated),
            }
        }
    };
    let mut tolerant = Limits::default();
    tolerant.tolerance.chunk_blanks = true;
    let text = "5  \r\nhello\r\n0 \t\r\n\r\n";
    assert_eq!(decode(text, &Limits::default()), Err(BodyError::ChunkSizeMalformed));
    assert_eq!(decode(text, &tolerant).as_deref(), Ok(&b"hello"[..]));
    for bad in [" 5\r\nhello\r\n0\r\n\r\n", "5 5\r\nhello\r\n0\r\n\r\n", "5 \nhello\r\n0\r\n\r\n"] {
        assert!(decode(bad, &tolerant).is_err(), "{bad:?}");
    }
}
