//! Whether a condition holds for a message.
//!
//! Groups of a match are kept for later templates, but only if the plan has one that asks for them, and only of
//! matches that count: what was matched on the way to a condition that does not hold is forgotten.

use plan::condition::{Condition, Match};
use plan::pattern::Groups;
use smallvec::SmallVec;
use wire::target;

use crate::exchange::Captured;
use crate::expand;
use crate::fault::Fault;
use crate::scene::{Scene, hosts, parameters};

/// A field line, put together without the allocator where it is not very long: all but cookies.
pub(crate) type Line = SmallVec<[u8; 256]>;

/// Whether `condition` holds.
///
/// # Errors
/// When it cannot be told: a pattern that backtracks ran out of steps. That is never taken for "no", since a
/// condition may be what keeps somebody out.
pub(crate) fn holds(condition: &Condition, scene: &mut Scene<'_>) -> Result<bool, Fault> {
    let kept = scene.captures.len();
    let verdict = judge(condition, scene);
    if !matches!(verdict, Ok(true)) {
        scene.captures.truncate(kept);
    }
    verdict
}

fn judge(condition: &Condition, scene: &mut Scene<'_>) -> Result<bool, Fault> {
    let request = scene.request;
    match condition {
        Condition::All(all) => {
            for part in all {
                if !holds(part, scene)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Condition::Any(any) => {
            for part in any {
                if holds(part, scene)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::Not(part) => {
            let kept = scene.captures.len();
            let held = holds(part, scene)?;
            scene.captures.truncate(kept);
            Ok(!held)
        }
        // A client on a Unix socket has no address, so it is in no list.
        Condition::Acl { acl, forwarded } => {
            Ok(scene.address(*forwarded).is_some_and(|address| acl.contains(address)))
        }
        Condition::Method(matches) => compare(matches, request.method(), scene),
        Condition::Url(matches) => compare(matches, request.target(), scene),
        Condition::Path { matches, decode } => compare_decoded(matches, request.path(), *decode, scene),
        // None, and an empty one, match nothing: "not a query that …" holds for both.
        Condition::Query(matches) => match request.query() {
            None | Some([]) => Ok(false),
            Some(query) => compare(matches, query, scene),
        },
        Condition::QueryParam { name, matches, decode } => {
            // Every parameter of that name: an application may take any of them.
            for value in parameters(request.query(), name) {
                if compare_decoded(matches, value, *decode, scene)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::HeaderLine(matches) => {
            let mut line = Line::new();
            for (name, value) in scene.fields().iter() {
                write_line(&mut line, name, value);
                if compare(matches, &line, scene)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::HeaderField { name, matches } => {
            for value in scene.fields().find_all(name.as_bytes()) {
                if compare(matches, value, scene)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::Host(matches) => {
            // A browser names the port whenever it is not the scheme's own, and an operator hardly ever means one port
            // only. So the name alone is tried too: a list of hosts that are forbidden must not be left by a port.
            let Some(hosts) = hosts(request) else { return Ok(false) };
            for host in hosts.each() {
                if compare(matches, host, scene)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::ClientCertificate(wanted) => {
            let shown = scene.client.tls.as_ref().and_then(|facts| facts.peer.as_ref());
            Ok(shown.is_some_and(|shown| *shown.der == **wanted))
        }
        Condition::StringMatch { subject, matches } => {
            let mut text = Vec::new();
            expand::expand(subject, scene, &mut text)?;
            compare(matches, &text, scene)
        }
    }
}

/// Puts a field line together as conditions see it.
pub(crate) fn write_line(line: &mut Line, name: &[u8], value: &[u8]) {
    line.clear();
    line.extend_from_slice(name);
    line.extend_from_slice(b": ");
    line.extend_from_slice(value);
}

fn compare_decoded(
    matches: &Match,
    subject: &[u8],
    decode: bool,
    scene: &mut Scene<'_>,
) -> Result<bool, Fault> {
    if decode && memchr::memchr(b'%', subject).is_some() {
        return compare(matches, &target::percent_decode(subject), scene);
    }
    compare(matches, subject, scene)
}

/// Whether `subject` matches; its groups are kept if any template may ask for them.
pub(crate) fn compare(matches: &Match, subject: &[u8], scene: &mut Scene<'_>) -> Result<bool, Fault> {
    if !scene.keep {
        return matches.pattern.is_match(subject).map_err(|error| scene.fault(error.to_string()));
    }
    let mut groups = Groups::default();
    if !matches.pattern.find(subject, &mut groups).map_err(|error| scene.fault(error.to_string()))? {
        return Ok(false);
    }
    let groups = groups.0.into_iter().map(|range| range.and_then(|range| subject.get(range)).map(Box::from));
    scene.captures.push(Captured { tag: matches.tag.clone(), groups: groups.collect() });
    Ok(true)
}

#[cfg(test)]
mod tests;
