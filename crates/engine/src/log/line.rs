//! The line of a request, in the operator's format (`LogFormat`).

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use plan::log::{LogFormat, LogPart, Moment as Which, Noun, TimeUnit};
use wire::h1::write::decimal;
use wire::target;

use super::escape::{escape, escape_or_dash};
use super::time;
use crate::basic;
use crate::clock::{Clock, Moment};
use crate::exchange::Exchange;
use crate::text::Text;

/// Appends the line of an exchange that ended at `end`, which is now. Every byte from the network is escaped.
pub(crate) fn line(format: &LogFormat, x: &Exchange, end: Moment, clock: &Clock, out: &mut Vec<u8>) {
    for part in &format.parts {
        write(part, x, end.since(x.began), clock, out);
    }
}

fn write(part: &LogPart, x: &Exchange, taken: Duration, clock: &Clock, out: &mut Vec<u8>) {
    let request = &x.request;
    match part {
        LogPart::Literal(text) => out.extend_from_slice(text.as_bytes()),
        LogPart::ClientAddress => address(x.origin.or_else(|| x.client.peer.ip()), out),
        LogPart::RemoteHost => address(x.client.peer.ip(), out),
        LogPart::LocalAddress => address(x.client.local.ip(), out),
        LogPart::BytesSent => decimal(x.sent.body_bytes, out),
        LogPart::BytesSentClf if x.sent.body_bytes == 0 => out.push(b'-'),
        LogPart::BytesSentClf => decimal(x.sent.body_bytes, out),
        LogPart::DurationMicros => duration(TimeUnit::Micros, taken, out),
        LogPart::Duration(unit) => duration(*unit, taken, out),
        LogPart::Protocol => out.extend_from_slice(protocol(x)),
        LogPart::RequestField(name) => {
            escape_or_dash(request.received(name.as_bytes()).unwrap_or_default(), out);
        }
        LogPart::RequestFieldSent(name) => {
            escape_or_dash(request.fields().find(name.as_bytes()).unwrap_or_default(), out);
        }
        LogPart::Place(noun) => place(*noun, x, out),
        LogPart::Name(noun) => name(*noun, x, out),
        LogPart::Fault => out.extend_from_slice(x.fault.unwrap_or("-").as_bytes()),
        LogPart::Method => escape_or_dash(method(x), out),
        LogPart::ListenerPort => number_or_dash(x.client.local.port(), out),
        LogPart::ProcessId => decimal(u64::from(std::process::id()), out),
        LogPart::Query => {
            if let Some(query) =
                received_target(x).and_then(|target| part_of(target, target::path_and_query(target).1))
            {
                out.push(b'?');
                escape(query, out);
            }
        }
        LogPart::RequestLine => escape_or_dash(request_line(x), out),
        LogPart::Status => match x.sent.status {
            // The client was gone before there was an answer.
            0 => out.push(b'-'),
            status => decimal(u64::from(status), out),
        },
        LogPart::Time { moment, form } => {
            // One from the other by the monotonic clock, so that the end never lies before the beginning.
            let wall = match moment {
                Which::Begin => clock.wall().saturating_sub(taken),
                Which::End => clock.wall(),
            };
            time::write(form, wall, out);
        }
        LogPart::User => match basic::user(request.fields()) {
            Some(user) => escape_or_dash(&user, out),
            None => out.push(b'-'),
        },
        LogPart::Path => {
            let path = received_target(x).map(|target| &target[target::path_and_query(target).0]);
            escape_or_dash(path.unwrap_or_default(), out);
        }
        LogPart::VirtualHost => {
            let host = request.received(b"host").or_else(|| request.host()).unwrap_or_default();
            escape_or_dash(target::authority(host).map_or(host, |authority| authority.host), out);
        }
    }
}

/// The request line as received: whole, or as far as it could be read.
pub(super) fn request_line(x: &Exchange) -> &[u8] {
    if x.request.line().is_empty() { &x.unparsed } else { x.request.line() }
}

/// The middle of the request line: what was asked for, whatever it was rewritten to.
fn received_target(x: &Exchange) -> Option<&[u8]> {
    x.request.line().split(|&byte| byte == b' ').nth(1)
}

fn part_of(target: &[u8], range: Option<std::ops::Range<usize>>) -> Option<&[u8]> {
    target.get(range?)
}

fn method(x: &Exchange) -> &[u8] {
    x.request.line().split(|&byte| byte == b' ').next().unwrap_or_default()
}

fn protocol(x: &Exchange) -> &'static [u8] {
    match (x.request.line().is_empty(), x.request.version()) {
        (true, _) => b"-",
        (false, version) => version.as_str().as_bytes(),
    }
}

/// A name out of the configuration: UTF-8 stays, what would end the line does not.
fn escape_name(text: &str, out: &mut Vec<u8>) {
    if text.bytes().any(|byte| byte.is_ascii_control()) {
        super::escape::escape_sentence(text.as_bytes(), out);
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

fn address(address: Option<IpAddr>, out: &mut Vec<u8>) {
    match address {
        Some(address) => out.extend_from_slice(Text::address(address).bytes()),
        None => out.push(b'-'),
    }
}

fn number_or_dash(number: Option<u16>, out: &mut Vec<u8>) {
    match number {
        Some(number) => decimal(u64::from(number), out),
        None => out.push(b'-'),
    }
}

fn duration(unit: TimeUnit, taken: Duration, out: &mut Vec<u8>) {
    let whole = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
    match unit {
        TimeUnit::Seconds => decimal(taken.as_secs(), out),
        TimeUnit::Millis => decimal(whole(taken.as_millis()), out),
        TimeUnit::Micros => decimal(whole(taken.as_micros()), out),
        TimeUnit::SecondsFraction => drop(write!(out, "{}.{:06}", taken.as_secs(), taken.subsec_micros())),
    }
}

/// Where in the file, counted from 1, the listener, service or back-end of the exchange stands; `-` if it never got so far.
fn place(noun: Noun, x: &Exchange, out: &mut Vec<u8>) {
    let plan = &x.running.plan;
    match noun {
        Noun::Listener => drop(write!(out, "listener {}", x.client.listener + 1)),
        Noun::Service => match x.service.and_then(|service| plan.services.get(service)) {
            Some(service) => escape_name(&service.place, out),
            None => out.push(b'-'),
        },
        Noun::Backend => match x.backend {
            Some(backend) => drop(write!(out, "back-end {}", backend + 1)),
            None => out.push(b'-'),
        },
    }
}

/// Its name; for want of one a back-end's address, and the place of the others.
fn name(noun: Noun, x: &Exchange, out: &mut Vec<u8>) {
    let plan = &x.running.plan;
    let named = match noun {
        Noun::Listener => x.listener().name.as_deref(),
        Noun::Service => x.service.and_then(|service| plan.services.get(service)?.name.as_deref()),
        Noun::Backend => match x.backend.and_then(|backend| plan.backends.get(backend)) {
            Some(backend) => match &backend.name {
                Some(name) => Some(name.as_str()),
                None => return drop(write!(out, "{}", backend.address)),
            },
            None => None,
        },
    };
    match named {
        Some(name) => escape_name(name, out),
        None => place(noun, x, out),
    }
}

#[cfg(test)]
mod tests;
