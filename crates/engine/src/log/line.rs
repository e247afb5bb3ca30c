//! The line of a request, in the operator's format (`LogFormat`).

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use plan::Target;
use plan::log::{LogFormat, LogPart, Moment as Which, Noun, Style, TimeForm, TimeUnit};
use wire::h1::write::decimal;
use wire::{Known, field, target};

use super::escape::{all_plain, escape, escape_json, escape_sentence};
use super::time;
use crate::basic;
use crate::clock::{Clock, Moment};
use crate::exchange::Exchange;
use crate::text::Text;

/// Appends the line of an exchange that ended at `end`, which is now. Every byte from the network is escaped.
pub(crate) fn line(format: &LogFormat, x: &Exchange, end: Moment, clock: &Clock, out: &mut Vec<u8>) {
    let taken = end.since(x.began);
    match &format.style {
        Style::Text => {
            for part in &format.parts {
                write(part, Ink::Text, x, taken, clock, out);
            }
        }
        Style::Json { bare } => {
            for (part, &bare) in format.parts.iter().zip(bare) {
                if bare {
                    value(part, x, taken, clock, out);
                } else {
                    write(part, Ink::Json, x, taken, clock, out);
                }
            }
        }
    }
}

/// Writes a part as a JSON value of its own.
fn value(part: &LogPart, x: &Exchange, taken: Duration, clock: &Clock, out: &mut Vec<u8>) {
    let from = out.len();
    let quoted = !is_number(part);
    if quoted {
        out.push(b'"');
    }
    if !write(part, Ink::Json, x, taken, clock, out) {
        out.truncate(from);
        out.extend_from_slice(b"null");
    } else if quoted {
        out.push(b'"');
    }
}

/// Whether a part writes a number as JSON has them. Those with zeros in front are none.
fn is_number(part: &LogPart) -> bool {
    match part {
        LogPart::BytesSent
        | LogPart::BytesSentClf
        | LogPart::DurationMicros
        | LogPart::Duration(_)
        | LogPart::ListenerPort
        | LogPart::ProcessId
        | LogPart::Status => true,
        LogPart::Time { form, .. } => {
            matches!(form, TimeForm::EpochSeconds | TimeForm::EpochMillis | TimeForm::EpochMicros)
        }
        _ => false,
    }
}

/// How texts come into a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ink {
    /// As text.
    Text,
    /// Within a JSON string.
    Json,
}

impl Ink {
    /// Bytes of the network.
    fn foreign(self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        match self {
            Ink::Text => escape(bytes, out),
            Ink::Json => escape_json(bytes, out),
        }
        true
    }

    /// The same; nothing of it is the sign for that.
    fn foreign_or_absent(self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        if bytes.is_empty() { self.absent(out) } else { self.foreign(bytes, out) }
    }

    /// A text out of the configuration: UTF-8 stays, what would end the line does not.
    fn ours(self, text: &str, out: &mut Vec<u8>) -> bool {
        match self {
            Ink::Json => escape_json(text.as_bytes(), out),
            Ink::Text if text.bytes().any(|byte| byte.is_ascii_control()) => {
                escape_sentence(text.as_bytes(), out);
            }
            Ink::Text => out.extend_from_slice(text.as_bytes()),
        }
        true
    }

    /// What has been written from `from` on is a text of ours, which may hold anything.
    fn settle(self, from: usize, out: &mut Vec<u8>) -> bool {
        if self == Ink::Json && !all_plain(&out[from..]) {
            let text = out.split_off(from);
            escape_json(&text, out);
        }
        true
    }

    /// There is no such thing. In JSON that is an empty text, or `null`.
    fn absent(self, out: &mut Vec<u8>) -> bool {
        if self == Ink::Text {
            out.push(b'-');
        }
        false
    }
}

/// Writes a part. Whether there was anything to write.
fn write(part: &LogPart, ink: Ink, x: &Exchange, taken: Duration, clock: &Clock, out: &mut Vec<u8>) -> bool {
    let request = &x.request;
    match part {
        LogPart::Literal(text) => out.extend_from_slice(text.as_bytes()),
        LogPart::ClientAddress => return address(x.origin.or_else(|| x.client.peer.ip()), ink, out),
        LogPart::RemoteHost => return address(x.client.peer.ip(), ink, out),
        LogPart::LocalAddress => return address(x.client.local.ip(), ink, out),
        LogPart::BytesSentClf if x.sent.body_bytes == 0 && ink == Ink::Text => out.push(b'-'),
        LogPart::BytesSent | LogPart::BytesSentClf => decimal(x.sent.body_bytes, out),
        LogPart::DurationMicros => duration(TimeUnit::Micros, elapsed(taken, x, clock), out),
        LogPart::Duration(unit) => duration(*unit, elapsed(taken, x, clock), out),
        LogPart::Scheme => {
            out.extend_from_slice(if x.client.secure { b"https" } else { b"http" });
        }
        LogPart::RequestField(name) => match field_of(x, name) {
            Some(value) => return ink.foreign(value, out),
            None => return false,
        },
        LogPart::RequestFieldSent(name) => match request.fields().find(name.as_bytes()) {
            Some(value) => return ink.foreign(value, out),
            None => return ink.absent(out),
        },
        LogPart::Place(noun) => match place(*noun, x) {
            Some(locus) => return ink.ours(locus, out),
            None => return ink.absent(out),
        },
        LogPart::Name(noun) => return name(*noun, ink, x, out),
        LogPart::Fault => match x.fault {
            Some(code) => out.extend_from_slice(code.as_bytes()),
            None => return ink.absent(out),
        },
        LogPart::Method => return ink.foreign_or_absent(method(x), out),
        LogPart::ListenerPort => match x.client.local.port() {
            Some(port) => decimal(u64::from(port), out),
            None => return ink.absent(out),
        },
        LogPart::ProcessId => decimal(u64::from(std::process::id()), out),
        LogPart::Query => match request.query() {
            Some(query) => {
                out.push(b'?');
                ink.foreign(query, out);
            }
            None => return false,
        },
        LogPart::RequestLine => return ink.foreign_or_absent(request_line(x), out),
        // The client was gone before there was an answer.
        LogPart::Status | LogPart::StatusLine if x.sent.status == 0 => return ink.absent(out),
        LogPart::Status => decimal(u64::from(x.sent.status), out),
        LogPart::StatusLine => status_line(x, ink, out),
        LogPart::Time { moment, form } => {
            // One from the other by the monotonic clock, so that the end never lies before the beginning.
            let wall = match moment {
                Which::Begin => clock.wall().saturating_sub(taken),
                Which::End => clock.wall(),
            };
            let from = out.len();
            time::write(form, wall, out);
            if matches!(form, TimeForm::Strftime(_)) {
                ink.settle(from, out);
            }
        }
        LogPart::User => match basic::user(request.fields()) {
            Some(user) => return ink.foreign_or_absent(&user, out),
            None => return ink.absent(out),
        },
        LogPart::Path => return ink.foreign_or_absent(request.path(), out),
        LogPart::VirtualHost => {
            let host = request.received(b"host").or_else(|| request.host()).unwrap_or_default();
            if host.is_empty() {
                return address(x.client.local.ip(), ink, out);
            }
            return ink.foreign(target::authority(host).map_or(host, |authority| authority.host), out);
        }
    }
    true
}

/// A field as the request goes on; one that ends here (Connection, Upgrade) as it was received.
fn field_of<'x>(x: &'x Exchange, name: &str) -> Option<&'x [u8]> {
    // The name of a server (`ServerName`) is for that server alone.
    if let Some(host) = &x.host_before
        && field::lookup(name.as_bytes()) == Some(Known::Host)
    {
        return host.as_deref();
    }
    let name = name.as_bytes();
    x.request.fields().find(name).or_else(|| x.request.received(name))
}

/// How long it took. What is answered within one turn of the clock took less than nothing by it.
fn elapsed(taken: Duration, x: &Exchange, clock: &Clock) -> Duration {
    if taken.is_zero() { clock.fresh().since(x.began) } else { taken }
}

/// The request line as received: whole, or as far as it could be read.
pub(super) fn request_line(x: &Exchange) -> &[u8] {
    if x.request.line().is_empty() { &x.unparsed } else { x.request.line() }
}

fn method(x: &Exchange) -> &[u8] {
    x.request.line().split(|&byte| byte == b' ').next().unwrap_or_default()
}

/// The status line of a back-end as received, or ours.
fn status_line(x: &Exchange, ink: Ink, out: &mut Vec<u8>) {
    let response = &x.response;
    let is_this_one = response.status() == x.sent.status;
    if is_this_one && !response.line().is_empty() {
        ink.foreign(response.line(), out);
        return;
    }
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(u64::from(x.sent.status), out);
    if is_this_one {
        out.push(b' ');
        ink.foreign(response.reason(), out);
    }
}

fn address(address: Option<IpAddr>, ink: Ink, out: &mut Vec<u8>) -> bool {
    match address {
        Some(address) => out.extend_from_slice(Text::address(address).bytes()),
        None => return ink.absent(out),
    }
    true
}

fn duration(unit: TimeUnit, taken: Duration, out: &mut Vec<u8>) {
    let whole = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
    match unit {
        TimeUnit::Seconds => decimal(taken.as_secs(), out),
        TimeUnit::Millis => decimal(whole(taken.as_millis()), out),
        TimeUnit::Micros => decimal(whole(taken.as_micros()), out),
        TimeUnit::SecondsFraction => drop(write!(out, "{}.{:03}", taken.as_secs(), taken.subsec_millis())),
    }
}

/// Where in the file the listener, service or back-end of the exchange stands.
fn place(noun: Noun, x: &Exchange) -> Option<&str> {
    let plan = &x.running.plan;
    let service = || plan.services.get(x.service?);
    let locus = match noun {
        Noun::Listener => &x.listener().locus,
        Noun::Service => &service()?.locus,
        Noun::Backend => match x.backend {
            Some(backend) => &plan.backends.get(backend)?.locus,
            None => &service()?.target_locus,
        },
    };
    (!locus.is_empty()).then_some(locus)
}

/// Its name; a back-end's address, or what else answered, in the words of C Pound.
fn name(noun: Noun, ink: Ink, x: &Exchange, out: &mut Vec<u8>) -> bool {
    let plan = &x.running.plan;
    let service = x.service.and_then(|service| plan.services.get(service));
    let from = out.len();
    match noun {
        Noun::Listener => match &x.listener().name {
            Some(name) => return ink.ours(name, out),
            None => return ink.absent(out),
        },
        Noun::Service => match service.and_then(|service| service.name.as_ref()) {
            Some(name) => return ink.ours(name, out),
            None => return ink.absent(out),
        },
        Noun::Backend => match x.backend.and_then(|backend| plan.backends.get(backend)) {
            // Writing to memory cannot fail.
            Some(backend) => drop(write!(out, "{}", backend.address)),
            None => match service.map(|service| &service.target) {
                Some(Target::Redirect(redirect)) => {
                    out.extend_from_slice(b"redirect:");
                    return ink.ours(&redirect.text, out);
                }
                Some(Target::Error { status, page }) => {
                    let page = if page.is_some() { ":text" } else { "" };
                    drop(write!(out, "error:{status}{page}"));
                }
                Some(Target::Files(_)) => out.extend_from_slice(b"file"),
                Some(Target::Success) => out.extend_from_slice(b"success"),
                Some(Target::Nothing | Target::Backends(_)) | None => return ink.absent(out),
            },
        },
    }
    ink.settle(from, out)
}

#[cfg(test)]
mod tests;
