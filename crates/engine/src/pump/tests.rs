//! A pump between two connections whose far ends the test holds.

use std::future::poll_fn;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;
use wire::{BodyLength, Kind, Limits};

use super::*;
use crate::stream::Stream;

/// A connection and its far end.
fn connection(kind: Kind) -> (Conn, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (Conn::new(Stream::Unix(near), kind, Limits::default().into()), far)
}

/// Pumps `body`, written in one piece and then ended, and gives what arrives at the other end.
async fn moved(
    from: BodyLength,
    to: BodyLength,
    body: &[u8],
    most: Option<u64>,
) -> (Result<(), PumpError>, Vec<u8>) {
    let store = Store::default();
    let (mut source, mut writer) = connection(Kind::Response);
    let (mut sink, mut reader) = connection(Kind::Request);
    source.begin_read(from);
    sink.begin_write(to, &store, |_| {});
    let feeding = async {
        writer.write_all(body).await.unwrap();
        drop(writer);
    };
    let mut pump = Pump::new(most);
    let pumping = async {
        let result = poll_fn(|cx| pump.poll(&mut source, &mut sink, cx, &store)).await;
        drop(sink);
        result
    };
    let mut arrived = Vec::new();
    let ((), result, read) = tokio::join!(feeding, pumping, reader.read_to_end(&mut arrived));
    read.unwrap();
    (result, arrived)
}

async fn check(from: BodyLength, to: BodyLength, body: &[u8], expect: &[u8]) {
    let (result, arrived) = moved(from, to, body, None).await;
    assert!(result.is_ok(), "{result:?}");
    assert_eq!(String::from_utf8_lossy(&arrived), String::from_utf8_lossy(expect));
}

#[tokio::test]
async fn any_framing_becomes_any_other() {
    check(BodyLength::Length(5), BodyLength::Length(5), b"hello", b"hello").await;
    check(BodyLength::UntilClose, BodyLength::Chunked, b"hello", b"5\r\nhello\r\n0\r\n\r\n").await;
    check(BodyLength::Chunked, BodyLength::UntilClose, b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello").await;
    check(BodyLength::None, BodyLength::None, b"", b"").await;
}

#[tokio::test]
async fn chunk_boundaries_are_kept_and_extensions_are_not() {
    let body = b"2;name=value\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n";
    check(BodyLength::Chunked, BodyLength::Chunked, body, b"2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n")
        .await;
}

#[tokio::test]
async fn a_long_body_goes_through_a_pipe_and_cannot_be_sent_again() {
    let store = Store::default();
    let (mut source, mut writer) = connection(Kind::Response);
    let (mut sink, mut reader) = connection(Kind::Request);
    let body: Vec<u8> = (0..3_000_000u32).map(|number| (number % 251) as u8).collect();
    let length = BodyLength::Length(body.len() as u64);
    source.begin_read(length);
    let mark = source.mark();
    sink.begin_write(length, &store, |out| out.extend_from_slice(b"head "));
    let mut pump = Pump::new(None);
    let mut piped = false;
    let pumping = async {
        let result = poll_fn(|cx| {
            let moved = pump.poll(&mut source, &mut sink, cx, &store);
            piped |= pump.pipe.is_some();
            moved
        })
        .await;
        drop(sink);
        result
    };
    let mut arrived = Vec::new();
    let feeding = async {
        writer.write_all(&body).await.unwrap();
        writer.write_all(b"next").await.unwrap();
    };
    let ((), result, read) = tokio::join!(feeding, pumping, reader.read_to_end(&mut arrived));
    read.unwrap();
    assert!(result.is_ok(), "{result:?}");
    assert!(piped, "it was copied");
    assert_eq!(pump.bytes, body.len() as u64);
    assert!(arrived.strip_prefix(b"head ") == Some(&body[..]), "{} bytes arrived", arrived.len());
    assert!(!source.rewind(&mark), "half of it is gone");
    assert!(!source.is_clean(), "what nobody asked for is there");
    poll_fn(|cx| source.poll_fill(cx, &store)).await.unwrap();
    assert_eq!(source.unread(), b"next");
}

// A small socket buffer makes the sink take a pipe's worth in many steps.
#[tokio::test]
async fn a_reader_that_takes_little_at_a_time_is_seen_to_take_it_and_leaves_a_clean_connection() {
    let store = Store::default();
    let (mut source, mut writer) = connection(Kind::Response);
    let (mut sink, mut reader) = connection(Kind::Request);
    let body = vec![b'x'; 1_500_000];
    let length = BodyLength::Length(body.len() as u64);
    source.begin_read(length);
    sink.begin_write(length, &store, |_| {});
    let mut pump = Pump::new(None);
    let mut passed = Vec::new();
    let pumping = poll_fn(|cx| {
        let moved = pump.poll(&mut source, &mut sink, cx, &store);
        passed.push(pump.passed(&sink));
        moved
    });
    let reading = async {
        let mut taken = 0;
        let mut piece = vec![0; 10_000];
        while taken < body.len() {
            taken += reader.read(&mut piece).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let (fed, result, ()) = tokio::join!(writer.write_all(&body), pumping, reading);
    fed.unwrap();
    assert!(result.is_ok(), "{result:?}");
    assert!(passed.is_sorted(), "progress went backwards");
    assert_eq!(passed.last(), Some(&(body.len() as u64)));
    // More steps than pipes were filled: each that the reader makes room for is one.
    assert!(passed.windows(2).filter(|pair| pair[0] < pair[1]).count() > body.len() / limits::PIPE_BYTES);
    source.idle(&store);
    assert!(source.is_clean(), "the next request could not use it");
}

#[tokio::test]
async fn a_long_body_cut_in_a_pipe_is_an_error() {
    let body = vec![b'x'; 2_000_000];
    let (result, arrived) =
        moved(BodyLength::Length(3_000_000), BodyLength::Length(3_000_000), &body, None).await;
    assert!(matches!(result, Err(PumpError::Source(ReadError::Body(_)))), "{result:?}");
    assert!(arrived.len() <= body.len());
}

#[tokio::test]
async fn short_chunks_travel_together_and_arrive_as_they_were() {
    // On both sides of each bound: pieces that wait for others, pieces that do not, more than goes together.
    let piece = limits::PIECE_BYTES;
    let lengths = [1, piece - 1, 2, piece, 3, piece + 1, 4, 2 * limits::BUFFER_BYTES, 5];
    let mut body = Vec::new();
    for (round, length) in lengths.iter().cycle().take(60).enumerate() {
        body.extend_from_slice(format!("{length:x}\r\n").as_bytes());
        body.resize(body.len() + length, b'a' + (round % 26) as u8);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    let (result, arrived) = moved(BodyLength::Chunked, BodyLength::Chunked, &body, None).await;
    assert!(result.is_ok(), "{result:?}");
    assert!(arrived == body, "{} bytes went in, {} came out", body.len(), arrived.len());
}

#[tokio::test]
async fn a_body_beyond_its_greatest_size_is_refused_before_it_is_sent() {
    let (result, arrived) =
        moved(BodyLength::Chunked, BodyLength::Chunked, b"6\r\nsecret\r\n0\r\n\r\n", Some(5)).await;
    assert!(matches!(result, Err(PumpError::TooLarge)), "{result:?}");
    assert_eq!(arrived, b"");
}

#[tokio::test]
async fn a_body_cut_short_is_an_error_and_gets_no_end() {
    let (result, arrived) = moved(BodyLength::Chunked, BodyLength::Chunked, b"5\r\nhel", None).await;
    assert!(matches!(result, Err(PumpError::Source(ReadError::Body(_)))), "{result:?}");
    // A short piece may still have waited to be sent: the client then gets an error instead of a stump.
    assert!(b"5\r\nhel".starts_with(&arrived), "{arrived:?}");
    let (result, arrived) = moved(BodyLength::Length(9), BodyLength::Length(9), b"hello", None).await;
    assert!(matches!(result, Err(PumpError::Source(ReadError::Body(_)))), "{result:?}");
    assert!(b"hello".starts_with(&arrived), "{arrived:?}");
    let long = vec![b'x'; 2 * limits::COPIED_BYTES];
    let (result, arrived) = moved(BodyLength::Length(9999), BodyLength::Length(9999), &long, None).await;
    assert!(matches!(result, Err(PumpError::Source(ReadError::Body(_)))), "{result:?}");
    assert_eq!(arrived, long);
}

// Held time moves on by itself when nothing else can happen: the stall is seen, not waited for.
#[tokio::test(start_paused = true)]
async fn what_the_sink_does_not_take_is_not_read() {
    let store = Store::default();
    let (mut source, mut writer) = connection(Kind::Response);
    let (mut sink, reader) = connection(Kind::Request);
    source.begin_read(BodyLength::UntilClose);
    sink.begin_write(BodyLength::UntilClose, &store, |_| {});
    let mut pump = Pump::new(None);
    let mut written = 0usize;
    // Nobody reads at the far end of the sink. Writing must come to a stop when the sockets and one buffer are full.
    let feeding = async {
        loop {
            written += writer.write(&[b'x'; 65536]).await.unwrap();
        }
    };
    let pumping = poll_fn(|cx| pump.poll(&mut source, &mut sink, cx, &store));
    let stalled = timeout(Duration::from_secs(5), async {
        tokio::select! {
            () = feeding => unreachable!("it loops"),
            result = pumping => result,
        }
    })
    .await;
    assert!(stalled.is_err(), "a body without end came to one");
    assert_eq!(pump.waiting, Waiting::Sink);
    assert!(source.unread().len() <= crate::limits::LARGE_BYTES);
    assert!(written < 4 * 1024 * 1024, "{written} bytes went in, and none came out");
    drop(reader);
}
