//! A whole engine with real sockets: what is counted, and what a panic of ours takes with it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use plan::{Balancer, Condition, ListenAddress, Plan, Target};

use super::*;
use crate::stats::Totals;
use crate::testing::Setup;

/// Longer than anything here takes; a test that waits for it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn begin(plan: Plan) -> (Engine, SocketAddr) {
    let prepared = crate::prepare(plan).unwrap();
    let socket = &prepared.bound[0].sockets[0][0];
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (start(prepared).unwrap(), address)
}

fn setup() -> Setup {
    Setup::with(|setup| setup.listener.address = ListenAddress::Inet(SocketAddr::from(([127, 0, 0, 1], 0))))
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn ask(stream: &mut TcpStream, target: &str) -> String {
    write!(stream, "GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = [0; 1000];
    let read = stream.read(&mut answer).unwrap_or(0);
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// The counters, once they are as they have to be.
fn totals(engine: &Engine, good: impl Fn(&Totals) -> bool) -> Totals {
    let begin = Instant::now();
    loop {
        let totals = engine.world().snapshot().totals;
        if good(&totals) {
            return totals;
        }
        assert!(begin.elapsed() < PATIENCE, "{totals:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_panic_ends_one_connection_and_is_logged_and_counted() {
    let mut setup = setup();
    setup.service(Condition::ALWAYS, Target::Success);
    let (mut engine, address) = begin(setup.plan());
    let mut drain = engine.log_drain().unwrap();

    // One worker has them all, so they are neighbours of the one that panics.
    let mut others: Vec<TcpStream> = (0..5).map(|_| connect(address)).collect();
    for other in &mut others {
        assert!(ask(other, "/").starts_with("HTTP/1.1 200 "));
    }
    for round in 1..=10 {
        assert_eq!(ask(&mut connect(address), "/panic"), "", "no half answer");
        for other in &mut others {
            assert!(ask(other, "/").starts_with("HTTP/1.1 200 "), "round {round}");
        }
    }
    let totals = totals(&engine, |totals| totals.clients == 5 && totals.requests == 65);
    assert_eq!(totals.faults, [("E-CUT-OFF", 10)]);
    assert_eq!((totals.requests, totals.unanswered, totals.answers[1]), (65, 10, 55));

    let mut lines = 0;
    drain
        .take(&mut |record| lines += usize::from(record.text.windows(11).any(|text| text == b"[E-CUT-OFF]")));
    assert_eq!(lines, 10);
    drop(others);
    assert!(engine.stop(PATIENCE).finished, "the worker lives and has nobody left");
}

#[test]
fn a_half_head_that_a_stop_does_not_wait_for_is_logged() {
    let mut setup = setup();
    setup.service(Condition::ALWAYS, Target::Success);
    let (mut engine, address) = begin(setup.plan());
    let mut drain = engine.log_drain().unwrap();
    let mut client = connect(address);
    client.write_all(b"GET / HTT").unwrap();
    // A second client's answer says that the worker has seen the first one's bytes, which were there before.
    assert!(ask(&mut connect(address), "/").starts_with("HTTP/1.1 200 "));
    assert_eq!(engine.stop(Duration::ZERO).cut, 1);
    let mut codes = Vec::new();
    drain.take(&mut |record| {
        let text = String::from_utf8_lossy(record.text).into_owned();
        codes.extend(text.split(['[', ']']).nth(1).map(str::to_owned));
    });
    assert_eq!(codes, ["E-CUT-OFF"]);
}

/// A back-end that does to each connection what the first letter of its request's path says.
fn rude_backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while let Ok(1..) = stream.read(&mut request) {
                    let full = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    let rude = match request.iter().position(|byte| *byte == b'/').map(|at| request[at + 1]) {
                        Some(b'c') => "",
                        Some(b'h') => "HTTP/1.1 200",
                        Some(b'b') => &full[..full.len() - 1],
                        Some(b't') => &full.repeat(2),
                        Some(b'm') => "HTTP/1.1 200 OK\r\nContent Length: 2\r\n\r\nok",
                        Some(b'k') => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
                        _ => {
                            let _ = stream.write_all(full.as_bytes());
                            continue;
                        }
                    };
                    let _ = stream.write_all(rude.as_bytes());
                    return;
                }
            });
        }
    });
    address
}

#[test]
fn counters_come_back_however_a_connection_ends() {
    let mut setup = setup();
    setup.balanced(&[(&rude_backend().to_string(), 1)], Balancer::Random, None);
    let (engine, address) = begin(setup.plan());
    let post = "POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel";
    let mut sent = 0;
    for round in 0..5 {
        for target in ["/ok", "/close", "/head", "/body", "/twice", "/malformed", "/k-chunk"] {
            ask(&mut connect(address), target);
            sent += 1;
        }
        for (bytes, whole) in
            [("", 0), ("GET", 1), (post, 1), ("GET /ok HTTP/1.1\r\nHost: a\r\n\r\n", 1), ("x y z\r\n\r\n", 1)]
        {
            let mut stream = connect(address);
            stream.write_all(bytes.as_bytes()).unwrap();
            if round % 2 == 0 {
                stream.shutdown(Shutdown::Write).unwrap();
                let _ = stream.read(&mut [0; 100]);
            }
            drop(stream);
            sent += whole;
        }
    }
    let totals = totals(&engine, |totals| totals.clients == 0 && totals.requests >= sent);
    assert_eq!(totals.requests, sent);
    assert_eq!(totals.answers.iter().sum::<u64>() + totals.unanswered, sent, "{totals:?}");
    assert_eq!(totals.backends[0].in_flight, 0, "{totals:?}");
    assert_eq!(totals.clients_total, 5 * 12);
    assert!(engine.stop(PATIENCE).finished);
}
