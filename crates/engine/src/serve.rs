//! The route of a request, one line per stage.

use std::rc::Rc;

use crate::balance;
use crate::client::{Client, Head};
use crate::clock::Moment;
use crate::exchange::{ClientFacts, Exchange};
use crate::fault::{Cause, Fault, Stage};
use crate::local;
use crate::relay;
use crate::respond::{self, Keep};
use crate::rewrite;
use crate::route;
use crate::sanitize;
use crate::tunnel;
use crate::worker::Worker;
use crate::{limits, location};
use wire::BodyLength;

/// A request that has begun and whose head is not here yet. It has no more than this, so that a client which sends its
/// head drop by drop costs little; and yet it is certain to be counted and logged.
pub(crate) struct Begun<'a> {
    facts: Option<Rc<ClientFacts>>,
    at: Moment,
    worker: &'a Worker,
}

impl<'a> Begun<'a> {
    /// The first byte is here.
    pub(crate) fn new(client: &Client, worker: &'a Worker) -> Begun<'a> {
        Begun { facts: Some(client.facts().clone()), at: worker.parts.clock.now(), worker }
    }

    /// When it was.
    pub(crate) fn at(&self) -> Moment {
        self.at
    }

    fn open(&mut self) -> Option<Open<'a>> {
        let (worker, facts) = (self.worker, self.facts.take()?);
        // One configuration from start to end, whatever is reloaded meanwhile.
        let x = Exchange::open(facts, worker.running(), self.at);
        Some(Open { x, closed: false, worker })
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if let Some(mut open) = self.open() {
            open.close(Some(&Fault::new(Stage::Parse, Cause::CutOff)));
        }
    }
}

/// Serves one request, whose head is here or will never be, up to its log line.
pub(crate) async fn serve(client: &mut Client, mut begun: Begun<'_>, head: Head) -> Keep {
    let worker = begun.worker;
    let Some(mut open) = begun.open() else { return Keep::Drop };
    let x = &mut open.x;
    let outcome = answer(x, client, worker, head).await;
    let keep = match &outcome {
        Ok(()) if x.keep => Keep::Open,
        Ok(()) => Keep::Close,
        Err(fault) => respond::fault(x, client, &worker.parts, fault).await,
    };
    open.close(outcome.err().as_ref());
    keep
}

/// An exchange that is certain to be counted and logged: by its end, or because it was dropped before it, when a stop
/// did not wait any longer.
struct Open<'a> {
    x: Exchange,
    closed: bool,
    worker: &'a Worker,
}

impl Open<'_> {
    fn close(&mut self, fault: Option<&Fault>) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        self.x.fault = fault.map(|fault| fault.cause.row().code);
        let parts = &self.worker.parts;
        parts.stats.count(&self.x, fault, parts.clock.now());
        self.worker.log(&self.x, fault);
        self.x.close(&parts.store);
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.close(Some(&Fault::new(Stage::Relay, Cause::CutOff)));
    }
}

async fn answer(x: &mut Exchange, client: &mut Client, worker: &Worker, head: Head) -> Result<(), Fault> {
    client.take_head(x, head, &worker.parts.store)?;
    sanitize::request(x)?;
    #[cfg(test)]
    crate::testing::panic_if_asked(&x.request);
    let service = route::find(x)?;
    route::admit(x, service)?;
    if x.body == BodyLength::Chunked {
        client.conn.set_trailer_rule(rewrite::request_trailer_rule(x, service));
    }
    rewrite::request(x, service)?;
    match &x.running.clone().plan.services[service].target {
        plan::Target::Backends(_) => proxy(x, client, worker, service).await,
        target => {
            let answer = local::answer(target, x)?;
            respond::local(x, client, &worker.parts, answer).await
        }
    }
}

/// Finds a back-end that answers, and passes its answer on.
async fn proxy(x: &mut Exchange, client: &mut Client, worker: &Worker, service: usize) -> Result<(), Fault> {
    let parts = &worker.parts;
    let running = x.running.clone();
    let Some(set) = running.sets[service].as_ref() else {
        return Err(Fault::new(Stage::Balance, Cause::NothingToAnswer));
    };
    let body = client.conn.mark();
    let destinations = location::destinations(x);
    let (mut last, mut waited): (Option<(usize, Fault)>, bool) = (None, false);
    let (backend, mut upstream) = loop {
        let again = relay::may_be_sent_again(x);
        let backend = match balance::pick(x, set, again, &mut parts.random.borrow_mut()) {
            Ok(backend) => backend,
            // Why the last one failed says more than that none is left; a death has a line of its own.
            Err(none) => {
                let last = last.map(|(_, fault)| fault);
                return Err(last.filter(|last| !last.cause.is_death()).unwrap_or(none));
            }
        };
        if let Some((from, fault)) = last.take() {
            parts.stats.retried(from);
            worker.note_retry(x, from, &fault);
        }
        location::host(x, &running.backends[backend]);
        location::turn_destinations(x, &destinations, &running.backends[backend]);
        let answer = relay::request(x, client, parts, service, backend).await;
        worker.note_health(&running, x, answer.as_ref().err());
        match answer {
            Ok(upstream) => break (backend, upstream),
            Err(fault) => {
                x.tried.push(backend);
                // It may wait for another one as long as for the first, once.
                let silences = u32::from(fault.is_silence()) + u32::from(waited);
                waited = silences > 0;
                let enough = silences > 1 || x.tried.len() >= limits::ATTEMPTS;
                if enough || !relay::may_send_again(x, client, &body, &fault) {
                    return Err(fault);
                }
                last = Some((backend, fault));
            }
        }
    };
    balance::learn(x, set);
    location::rewrite(x);
    rewrite::response(x)?;
    if x.response.status() == 101 {
        let idle = running.times(service, backend).tunnel;
        let _there = parts.stats.in_flight(backend);
        return tunnel::run(x, client, &mut upstream.conn, idle, parts).await;
    }
    relay::response(x, client, parts, upstream, service, backend).await
}
