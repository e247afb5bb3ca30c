//! Strings with references: `$1` and `%[host]` become what they stand for.
//!
//! A part of the request that is missing becomes nothing. A reference to a match or a group that does not exist is a
//! fault, as in Pound in C: what would be left is half a URL, and half a pattern may let somebody in. The result holds
//! raw bytes of the request: whoever puts it into a message makes it fit there (`rewrite`, `local::redirect`).

use std::fmt::Write as _;
use std::io::Write;

use plan::Template;
use plan::template::{Accessor, Part, Which};
use wire::h1::write::decimal;

use crate::basic;
use crate::fault::Fault;
use crate::scene::{Missing, Scene, parameters};

/// Appends the expansion of `template` to `out`.
///
/// # Errors
/// `Evaluation`, if it refers to a match or a group that does not exist.
pub(crate) fn expand(template: &Template, scene: &Scene<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    for part in template.parts() {
        match part {
            Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Part::Capture { group, of } => match scene.capture(*group, of) {
                Ok(text) => out.extend_from_slice(text),
                Err(missing) => return Err(scene.fault(complaint(template, *group, of, missing))),
            },
            Part::Accessor(accessor) => access(accessor, scene, out),
        }
    }
    Ok(())
}

/// Which reference of which line of the file failed, and why.
#[cold]
fn complaint(template: &Template, group: u8, of: &Which, missing: Missing) -> String {
    let mut text = match template.origin() {
        Some(origin) => origin.to_owned(),
        None => format!("\"{template}\""),
    };
    // Writing to a String cannot fail.
    let _ = write!(text, ": ${group}{of} refers to ");
    let _ = match (missing, of) {
        (Missing::Group { groups }, _) => {
            write!(text, "group {group}, and the pattern that matched has {groups}")
        }
        (Missing::Match { .. }, Which::Tag(tag)) => {
            write!(text, "the pattern tagged {tag}, which has not matched this request")
        }
        (Missing::Match { made: 0 }, _) => write!(text, "a match, and no pattern has matched this request"),
        (Missing::Match { made }, Which::Back(back)) => {
            write!(text, "the match {back} before the latest, and patterns have matched {made} times so far")
        }
    };
    text
}

fn access(accessor: &Accessor, scene: &Scene<'_>, out: &mut Vec<u8>) {
    let request = scene.request;
    match accessor {
        Accessor::Url => out.extend_from_slice(request.target()),
        Accessor::Path => out.extend_from_slice(request.path()),
        Accessor::Query => out.extend_from_slice(request.query().unwrap_or_default()),
        Accessor::Param(name) => {
            out.extend_from_slice(parameters(request.query(), name).next().unwrap_or_default());
        }
        Accessor::Header(name) => {
            out.extend_from_slice(scene.fields().find(name.as_bytes()).unwrap_or_default());
        }
        Accessor::Host => out.extend_from_slice(scene.host().unwrap_or_default()),
        Accessor::Port => {
            // With its colon, so that %[host]%[port] is right with and without one.
            if let Some(port) = scene.port() {
                out.push(b':');
                decimal(u64::from(port), out);
            }
        }
        Accessor::RemoteIp { forwarded } => {
            if let Some(address) = scene.address(*forwarded) {
                // Writing to a Vec cannot fail.
                let _ = write!(out, "{address}");
            }
        }
        Accessor::Tls(fact) => {
            if let Some(tls) = &scene.client.tls {
                out.extend_from_slice(tls.tell(*fact).as_bytes());
            }
        }
        Accessor::User => out.extend_from_slice(&basic::user(request.fields()).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
