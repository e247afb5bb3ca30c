//! What happened to a request, as lines: the one of its format, and one for what went wrong.

use std::io::Write;

use super::escape::{escape, escape_sentence};
use super::hint::hint;
use super::line::{line, request_line};
use super::ring::{Kind, Pen, Severity};
use crate::balance::LiveSet;
use crate::clock::Clock;
use crate::exchange::Exchange;
use crate::fault::{Blame, Cause, Fault, Stage};
use crate::{limits, location};

/// Writes the lines of an exchange that is over: the fault first, if there was one, then the request's own.
pub(crate) fn exchange(pen: &mut Pen, x: &Exchange, fault: Option<&Fault>, clock: &Clock) {
    if let Some(fault) = fault {
        let severity = severity(fault);
        match nobody(fault, x) {
            None => pen.write(Kind::Event, severity, |out| fault_line(fault, x, x.backend, out)),
            // The first of them has a line, and the next line counts the others.
            Some(set) => {
                if let Some(untold) = set.meets_drought() {
                    pen.write(Kind::Event, severity, |out| {
                        fault_line(fault, x, x.backend, out);
                        drought(set, untold, out);
                    });
                }
            }
        }
    } else if location::is_destination_refused(x) {
        pen.write(Kind::Event, Severity::Warning, |out| {
            whom(x, None, "<=", x.backend, out);
            let _ = write!(
                out,
                "the back-end answers {}: it may take Destination for another server's (RewriteDestination yes turns it)",
                x.response.status()
            );
        });
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

/// Writes the line of a fault of the back-end `from`, after which the request goes to another one.
pub(crate) fn retry(pen: &mut Pen, x: &Exchange, from: usize, fault: &Fault) {
    pen.write(Kind::Event, Severity::Warning, |out| {
        fault_line(fault, x, Some(from), out);
        out.extend_from_slice(b"; the request is sent to another one");
    });
}

/// The back-ends of which none was alive, if that is the fault.
fn nobody<'a>(fault: &Fault, x: &'a Exchange) -> Option<&'a LiveSet> {
    match fault.cause {
        Cause::NoBackend => x.running.sets.get(x.service?)?.as_ref(),
        _ => None,
    }
}

/// Since when which back-ends are dead, when they are tried again, and for how many requests more that was so.
fn drought(set: &LiveSet, untold: u64, out: &mut Vec<u8>) {
    let mut dead = 0;
    for (live, since, next) in set.dead() {
        dead += 1;
        if dead > limits::NO_BACKEND_NAMES {
            continue;
        }
        // Writing to memory cannot fail.
        let (mark, since) = (if dead == 1 { ':' } else { ',' }, since.as_secs_f64());
        let _ = write!(out, "{mark} {} dead for {since:.1} s", live.plan.address);
        let _ = match next {
            Some(next) => write!(out, " (next probe in {:.1} s)", next.as_secs_f64()),
            None => write!(out, " (being probed)"),
        };
    }
    let _ = match dead {
        0 => write!(out, ": all of its back-ends are disabled, or have failed this request"),
        dead if dead > limits::NO_BACKEND_NAMES => {
            write!(out, ", and {} more", dead - limits::NO_BACKEND_NAMES)
        }
        _ => Ok(()),
    };
    if untold > 0 {
        let _ = write!(out, "; {untold} requests since the last such line had the same answer");
    }
}

/// How loudly a fault is reported. What clients do wrong is their business and comes by the thousand: a line at `info`,
/// where an operator looks for it. A client that goes away between two requests has no exchange, and so no line.
fn severity(fault: &Fault) -> Severity {
    match fault.cause.row().blame {
        Blame::Client => Severity::Info,
        Blame::Backend | Blame::Us => Severity::Error,
        Blame::Operator => Severity::Warning,
    }
}

/// `(worker) [E-CODE] CLIENT [=> BACKEND]: "REQUEST": text[: "OFFENDING FIELD"]`, where the worker is the thread's name.
fn fault_line(fault: &Fault, x: &Exchange, backend: Option<usize>, out: &mut Vec<u8>) {
    // The direction in which it failed: on the way there, or on the way back.
    let arrow = if fault.stage == Stage::Relay { "<=" } else { "=>" };
    whom(x, Some(fault.cause.row().code), arrow, backend, out);
    let mut text = Vec::new();
    let _ = write!(text, "{fault}");
    hint(fault, x, &mut text);
    escape_sentence(&text, out);
    if !x.offending.is_empty() {
        out.extend_from_slice(b": \"");
        escape(&x.offending, out);
        out.push(b'"');
    }
}

/// The line up to its text.
fn whom(x: &Exchange, code: Option<&str>, arrow: &str, backend: Option<usize>, out: &mut Vec<u8>) {
    let thread = std::thread::current();
    out.push(b'(');
    escape_sentence(thread.name().unwrap_or("-").as_bytes(), out);
    // Writing to memory cannot fail.
    out.extend_from_slice(b") ");
    if let Some(code) = code {
        let _ = write!(out, "[{code}] ");
    }
    match x.origin.or_else(|| x.client.peer.ip()) {
        Some(address) => drop(write!(out, "{address}")),
        None => out.extend_from_slice(b"unix"),
    }
    if let Some(backend) = backend.and_then(|backend| x.running.plan.backends.get(backend)) {
        let _ = write!(out, " {arrow} {}", backend.address);
    }
    out.extend_from_slice(b": \"");
    escape(request_line(x), out);
    out.extend_from_slice(b"\": ");
}

#[cfg(test)]
mod tests;
