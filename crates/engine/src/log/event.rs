//! What happened to a request, as lines: the one of its format, and one for what went wrong.

use std::io::Write;

use super::escape::{escape, escape_sentence};
use super::line::{line, request_line};
use super::ring::{Kind, Pen, Severity};
use crate::clock::Clock;
use crate::exchange::Exchange;
use crate::fault::{Blame, Cause, Fault, Stage};

/// Writes the lines of an exchange that is over: the fault first, if there was one, then the request's own.
pub(crate) fn exchange(pen: &mut Pen, x: &Exchange, fault: Option<&Fault>, clock: &Clock) {
    if let Some(fault) = fault
        && let Some(severity) = severity(fault)
    {
        pen.write(Kind::Event, severity, |out| fault_line(fault, x, out));
    }
    let plan = &x.running.plan;
    let service = x.service.and_then(|service| plan.services.get(service));
    if service.is_some_and(|service| service.log_suppress.covers(x.sent.status)) {
        return;
    }
    if let Some(format) = plan.logging.formats.get(x.listener().log_format)
        && !format.is_null()
    {
        let end = clock.now();
        pen.write(Kind::Access, Severity::Info, |out| line(format, x, end, clock, out));
    }
}

/// Writes the line of a fault after which the request goes to another back-end.
pub(crate) fn retry(pen: &mut Pen, x: &Exchange, fault: &Fault) {
    pen.write(Kind::Event, Severity::Warning, |out| {
        fault_line(fault, x, out);
        out.extend_from_slice(b"; the request is sent to another one");
    });
}

/// How loudly a fault is reported. What clients do wrong is their business and comes by the thousand: a line at `info`,
/// where an operator looks for it. A client that just goes away is not even that.
fn severity(fault: &Fault) -> Option<Severity> {
    match (fault.cause.row().blame, &fault.cause) {
        (_, Cause::ClientClosed | Cause::ClientTimeout(_)) if fault.stage == Stage::Parse => None,
        (Blame::Client, _) => Some(Severity::Info),
        (Blame::Backend, _) => Some(Severity::Error),
        (Blame::Operator, _) => Some(Severity::Warning),
        (Blame::Us, _) => Some(Severity::Error),
    }
}

/// `(worker) [E-CODE] CLIENT [=> BACKEND]: "REQUEST": text[: "OFFENDING FIELD"]`, where the worker is the thread's name.
fn fault_line(fault: &Fault, x: &Exchange, out: &mut Vec<u8>) {
    let thread = std::thread::current();
    out.push(b'(');
    escape_sentence(thread.name().unwrap_or("-").as_bytes(), out);
    // Writing to memory cannot fail.
    let _ = write!(out, ") [{}] ", fault.cause.row().code);
    match x.origin.or_else(|| x.client.peer.ip()) {
        Some(address) => drop(write!(out, "{address}")),
        None => out.extend_from_slice(b"unix"),
    }
    if let Some(backend) = x.backend.and_then(|backend| x.running.plan.backends.get(backend)) {
        // The direction in which it failed: on the way there, or on the way back.
        let arrow = if fault.stage == Stage::Relay { "<=" } else { "=>" };
        let _ = write!(out, " {arrow} {}", backend.address);
    }
    out.extend_from_slice(b": \"");
    escape(request_line(x), out);
    out.extend_from_slice(b"\": ");
    let mut text = Vec::new();
    let _ = write!(text, "{fault}");
    escape_sentence(&text, out);
    if !x.offending.is_empty() {
        out.extend_from_slice(b": \"");
        escape(&x.offending, out);
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests;
