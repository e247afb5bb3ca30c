//! Which service answers: the first one of the listener whose condition holds.

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
    let Exchange { running, request, client, captures, origin, service: found, .. } = x;
    let plan = &running.plan;
    let listener = &plan.listeners[client.listener];
    let by_listener = *origin;
    for service in &listener.services {
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
