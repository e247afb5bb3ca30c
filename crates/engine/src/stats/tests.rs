use std::io;
use std::time::Duration;

use plan::Balancer;

use super::*;
use crate::fault::{Cause, Stage as At};
use crate::testing::{Setup, Stage, get};

fn stage() -> Stage {
    Setup::with(|setup| setup.balanced(&[("10.0.0.1:80", 1), ("10.0.0.2:80", 1)], Balancer::Random, None))
        .run()
}

fn exchange(stage: &Stage, status: u16, backend: Option<usize>) -> Exchange {
    let mut x = stage.exchange(&get("/", ""));
    x.sent.status = status;
    x.backend = backend;
    x
}

#[test]
fn the_snapshot_is_the_sum_over_workers() {
    let stage = stage();
    let tables = Cells::for_workers(2, 2);
    for (cells, status) in tables.iter().zip([200, 404]) {
        cells.opened();
        cells.opened();
        cells.closed();
        let mut x = exchange(&stage, status, None);
        x.received = 10;
        x.sent.body_bytes = 100;
        cells.count(&x, None, Moment(0));
    }
    tables[0].count(&exchange(&stage, 0, None), None, Moment(0));
    let head = get("/", "").len() as u64;
    let sum = Totals::of(&tables);
    assert_eq!((sum.requests, sum.answers, sum.unanswered), (3, [0, 1, 0, 1, 0], 1));
    assert_eq!((sum.clients, sum.clients_total), (2, 4));
    assert_eq!((sum.bytes_in, sum.bytes_out), (3 * head + 20, 200));
    assert_eq!(sum.backends, [BackendTotals::default(); 2]);
}

#[test]
fn a_back_end_is_charged_with_what_it_failed() {
    let stage = stage();
    let tables = Cells::for_workers(1, 2);
    let cells = &tables[0];
    // The first back-end took no connection, the second one answered.
    cells.connecting(0);
    cells.retried(0);
    cells.connecting(1);
    let mut x = exchange(&stage, 200, Some(1));
    x.tried.push(0);
    x.answered = Some(x.began + Duration::from_micros(1500));
    cells.count(&x, None, Moment(10));
    // Then that one went silent.
    let fault = Fault::new(At::Forward, Cause::BackendSilent);
    cells.count(&exchange(&stage, 502, Some(1)), Some(&fault), Moment(20));
    // What a client does is not the back-end's fault.
    let fault = Fault::new(At::Relay, Cause::ClientBroken(io::ErrorKind::BrokenPipe.into()));
    cells.count(&exchange(&stage, 200, Some(1)), Some(&fault), Moment(30));
    let sum = Totals::of(&tables);
    let first = BackendTotals { requests: 1, errors: 1, connects: 1, retries: 1, ..BackendTotals::default() };
    let second = BackendTotals {
        requests: 3,
        errors: 1,
        connects: 1,
        answered: 1,
        latency_sum_us: 1500,
        latency_last_us: 1500,
        ..BackendTotals::default()
    };
    assert_eq!(sum.backends, [first, second]);
    assert_eq!(sum.faults, [("E-BACKEND-SILENT", 1), ("E-CLIENT-BROKEN", 1)]);
}

#[test]
fn the_last_latency_is_the_last_of_any_worker() {
    let stage = stage();
    let tables = Cells::for_workers(2, 2);
    for (worker, micros, now) in [(0, 100, 50), (1, 300, 40), (1, 200, 45)] {
        let mut x = exchange(&stage, 200, Some(0));
        x.answered = Some(x.began + Duration::from_micros(micros));
        tables[worker].count(&x, None, Moment(now));
    }
    let sum = Totals::of(&tables);
    assert_eq!((sum.backends[0].latency_last_us, sum.backends[0].latency_sum_us), (100, 600));
}

#[test]
fn requests_in_flight_are_those_that_have_not_ended() {
    let tables = Cells::for_workers(2, 1);
    let first = tables[0].in_flight(0);
    let second = tables[1].in_flight(0);
    assert_eq!(Totals::of(&tables).backends[0].in_flight, 2);
    drop(first);
    assert_eq!(Totals::of(&tables).backends[0].in_flight, 1);
    drop(second);
    drop(tables[0].in_flight(99));
    assert_eq!(Totals::of(&tables).backends[0].in_flight, 0);
}

#[test]
fn a_back_end_is_waited_for_from_its_turn_on_and_not_before() {
    let tables = Cells::for_workers(2, 1);
    let request = tables[1].waiting(0);
    assert_eq!(waits(&tables, 0), (0, 0), "its client may still be sending");
    request.begin();
    request.begin();
    assert_eq!(waits(&tables, 0), (1, 0));
    request.heard();
    assert_eq!(waits(&tables, 0), (0, 1));
    drop(tables[0].waiting(0));
    assert_eq!(waits(&tables, 0), (0, 1));
}

#[test]
fn tables_share_no_cache_line() {
    assert_eq!(align_of::<Cells>() % 128, 0);
    assert_eq!(size_of::<BackendCells>() % 128, 0);
}
