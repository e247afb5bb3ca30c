//! The route of a request, one line per stage.

use crate::balance;
use crate::client::Client;
use crate::exchange::Exchange;
use crate::fault::{Cause, Fault, Stage};
use crate::local;
use crate::relay;
use crate::respond;
use crate::rewrite;
use crate::route;
use crate::sanitize;
use crate::tunnel;
use crate::worker::Worker;
use crate::{limits, location};

/// What becomes of the client's connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It may carry another request.
    Open,
    /// It is closed so that the answer arrives.
    Close,
    /// It is dropped: there is nobody, or what was sent must not pass for whole.
    Drop,
}

/// Serves one request, from the first byte of its head to its log line.
pub(crate) async fn serve(client: &mut Client, worker: &Worker) -> Keep {
    // One configuration from start to end, whatever is reloaded meanwhile.
    let mut x = Exchange::open(client.facts().clone(), worker.running(), &worker.parts.clock);
    let outcome = answer(&mut x, client, worker).await;
    let keep = match &outcome {
        Ok(()) if x.keep => Keep::Open,
        Ok(()) => Keep::Close,
        Err(fault) => respond::fault(&mut x, client, &worker.parts, fault).await,
    };
    worker.parts.stats.count(&x, outcome.as_ref().err(), worker.parts.clock.now());
    worker.log(&x, outcome.as_ref().err());
    x.close(&worker.parts.store);
    keep
}

async fn answer(x: &mut Exchange, client: &mut Client, worker: &Worker) -> Result<(), Fault> {
    client.read_head(x, &worker.parts.store).await?;
    sanitize::request(x)?;
    client.conn.drop_from_trailers(x.nominated.clone());
    let service = route::find(x)?;
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
    let mut last = None;
    let (backend, mut upstream) = loop {
        let backend = match balance::pick(x, set, &mut parts.random.borrow_mut()) {
            Ok(backend) => backend,
            // The reason why the last one failed says more than that none is left.
            Err(none) => return Err(last.unwrap_or(none)),
        };
        location::destination(x, &running.backends[backend]);
        match relay::request(x, client, parts, backend).await {
            Ok(upstream) => break (backend, upstream),
            Err(fault) => {
                worker.note_health(&running, backend, &fault);
                x.tried.push(backend);
                if x.tried.len() >= limits::ATTEMPTS || !relay::may_send_again(x, client, &body, &fault) {
                    return Err(fault);
                }
                parts.stats.retried(backend);
                last = Some(fault);
            }
        }
    };
    balance::learn(x, set);
    location::rewrite(x);
    rewrite::response(x)?;
    if x.response.status() == 101 {
        let idle = running.backends[backend].plan.tunnel_timeout;
        return tunnel::run(x, client, &mut upstream.conn, idle, parts).await;
    }
    relay::response(x, client, parts, upstream, backend).await
}
