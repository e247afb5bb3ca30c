//! What makes no sense of a whole configuration, though each line of it is right.

mod circles;
mod references;

use std::collections::HashMap;

use plan::condition::Condition;
use plan::{ListenAddress, Service};

use crate::diagnostic::Diagnostic;
use crate::lower::Lowering;
use crate::source::Span;

pub(crate) use circles::circles;
pub(crate) use references::references;

/// Two listeners cannot have one address.
pub(crate) fn addresses(cx: &mut Lowering<'_>) {
    let mut found = Vec::new();
    for (index, second) in cx.listeners().iter().enumerate() {
        let address = &second.listener.address;
        // The system gives each of these a port of its own.
        if matches!(address, ListenAddress::Inet(address) if address.port() == 0) {
            continue;
        }
        if let Some(first) = cx.listeners()[..index].iter().find(|first| first.listener.address == *address) {
            let message = format!("two listeners cannot both have {address}");
            found.push(Diagnostic::error(second.span, message).related(first.span, "the first one"));
        }
    }
    found.into_iter().for_each(|diagnostic| cx.push(diagnostic));
}

/// `%[remoteip 0]` is the peer, as the manual of C Pound has it. C Pound itself gives the forwarded address there, so a file
/// that came from it may mean that.
pub(crate) fn peer_addresses(cx: &mut Lowering<'_>) {
    let trusting = cx.global.trusted.is_some()
        || cx.listeners().iter().any(|listener| listener.trusts)
        || cx.plan_services().iter().any(|service| service.trusted.is_some());
    for span in std::mem::take(&mut cx.peer_addresses) {
        if trusting {
            cx.push(
                Diagnostic::warning(
                    span,
                    "this is the address of the peer, which may be a proxy of TrustedIP",
                )
                .label("C Pound puts the forwarded address here, against its manual")
                .help("for the client's address write %[remoteip 1]"),
            );
        }
    }
}

/// Every listener needs a service, and each service a chance.
pub(crate) fn services(cx: &mut Lowering<'_>) {
    let mut found = Vec::new();
    let globals = cx.global_services().iter().map(|(service, span)| (&**service, *span));
    unreachable(globals, &mut found);
    for listener in cx.listeners() {
        let own = listener.listener.services.iter().map(AsRef::as_ref).zip(listener.services.iter().copied());
        unreachable(own, &mut found);
        if listener.services.is_empty() && cx.global_services().is_empty() {
            found.push(
                Diagnostic::warning(listener.span, "this listener has no service: all its requests get 503")
                    .label("expected a Service in it or outside of all blocks"),
            );
        }
    }
    found.into_iter().for_each(|diagnostic| cx.push(diagnostic));
}

/// Services behind one that takes every request, or every one that they could get.
fn unreachable<'a>(services: impl Iterator<Item = (&'a Service, Span)>, found: &mut Vec<Diagnostic>) {
    let mut taker: Option<Span> = None;
    // By what all requests of a service have in common: where it is all that is looked at, the first one takes them.
    let mut takers: HashMap<String, Span> = HashMap::new();
    for (service, span) in services {
        if service.disabled {
            continue;
        }
        let Condition::All(conditions) = &service.condition else { continue };
        if let Some(first) = conditions.iter().filter_map(key).find_map(|key| takers.get(&key)) {
            found.push(
                Diagnostic::warning(span, "no request reaches this service")
                    .related(*first, "this service, which is tried before, takes all of its requests")
                    .help("put the service with more conditions first, or both into one"),
            );
        } else if let [condition] = &conditions[..]
            && let Some(key) = key(condition)
        {
            takers.insert(key, span);
        }
        if let Some(taker) = taker {
            found.push(
                Diagnostic::warning(span, "no request reaches this service")
                    .related(taker, "this service, which is tried before, takes every request")
                    .help("put the service without conditions last"),
            );
            return;
        }
        if holds_always(&service.condition) {
            taker = Some(span);
        }
    }
}

/// The same for two conditions that look at the same and are alike, where that is easily seen.
fn key(condition: &Condition) -> Option<String> {
    let (subject, matches) = match condition {
        Condition::Host(matches) => ("host".to_owned(), matches),
        Condition::Path { matches, decode } => (format!("path {decode}"), matches),
        Condition::Url(matches) => ("url".to_owned(), matches),
        Condition::HeaderField { name, matches } => (format!("field {}", name.to_ascii_lowercase()), matches),
        _ => return None,
    };
    let pattern = matches.pattern.to_string();
    let pattern = if pattern.contains(" -icase ") { pattern.to_ascii_lowercase() } else { pattern };
    (!matches.pattern.is_list()).then(|| format!("{subject} {pattern}"))
}

fn holds_always(condition: &Condition) -> bool {
    match condition {
        Condition::All(all) => all.iter().all(holds_always),
        Condition::Any(any) => any.iter().any(holds_always),
        Condition::Url(matches) | Condition::Method(matches) => matches.pattern.matches_all(),
        Condition::Path { matches, .. } => matches.pattern.matches_all(),
        _ => false,
    }
}

/// Named back-ends that no service uses.
pub(crate) fn unused_backends(cx: &mut Lowering<'_>) {
    let mut unused: Vec<(String, Span)> = cx.unused_backends().collect();
    unused.sort_by_key(|(_, span)| (span.source, span.start));
    for (name, span) in unused {
        cx.push(Diagnostic::warning(span, format!("no service uses the back-end {name:?}")));
    }
}
