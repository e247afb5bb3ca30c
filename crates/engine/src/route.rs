//! Which service answers: the first one of the listener whose condition holds.
//!
//! Of many services only those are looked at that the index yields; the first in the order of the file is found as if
//! all were.

mod candidates;
mod index;
mod key;
mod table;

pub(crate) use index::Index;

use candidates::Found;

use crate::condition;
use crate::exchange::Exchange;
use crate::fault::{Cause, Fault, Stage};
use crate::forwarded;
use crate::scene::Scene;

/// Finds the service and notes it in the exchange.
///
/// # Errors
/// `NoService` if no condition holds; `Evaluation` if one cannot be evaluated.
pub(crate) fn find(x: &mut Exchange) -> Result<usize, Fault> {
    let listener = x.client.listener;
    let all = 0..x.running.plan.listeners[listener].services.len();
    let Some(Some(_)) = x.running.routes.get(listener) else { return first(x, all) };
    // Held apart from the exchange, which the walk changes.
    let running = x.running.clone();
    let mut found = Found::default();
    match &running.routes[listener] {
        Some(index) => index.look(&x.request, &mut found),
        None => return first(x, all),
    }
    if found.is_overflown() { first(x, all) } else { first(x, found.by_ref()) }
}

/// Whether the client may use the service at all. Its connection has shown what it has to show: nobody is asked again.
pub(crate) fn admit(x: &Exchange, service: usize) -> Result<(), Fault> {
    let verified = || x.client.tls.as_ref().is_some_and(|facts| facts.is_verified());
    if x.running.plan.services[service].client_certificate && !verified() {
        return Err(Fault::new(Stage::Route, Cause::NoClientCertificate));
    }
    Ok(())
}

/// The first of the candidates whose condition holds.
fn first(x: &mut Exchange, candidates: impl Iterator<Item = usize>) -> Result<usize, Fault> {
    let Exchange { running, request, client, captures, origin, service: found, .. } = x;
    let plan = &running.plan;
    let listener = &plan.listeners[client.listener];
    let by_listener = *origin;
    for service in candidates.filter_map(|position| listener.services.get(position)) {
        if service.disabled {
            continue;
        }
        *origin = if service.trusted.is_some() || service.forwarded_header.is_some() {
            forwarded::origin(client, request.fields(), listener, service)
        } else {
            by_listener
        };
        let mut scene = Scene {
            stage: Stage::Route,
            request,
            response: None,
            client,
            origin: *origin,
            captures,
            keep: plan.captures,
        };
        if condition::holds(&service.condition, &mut scene)? {
            *found = Some(service.id);
            return Ok(service.id);
        }
    }
    *origin = by_listener;
    Err(Fault::new(Stage::Route, Cause::NoService))
}

#[cfg(test)]
mod tests;
