//! Strings with references: `$1` and `%[host]` become what they stand for.
//!
//! What is missing becomes nothing. The result holds raw bytes of the request: whoever puts it into a message makes
//! it fit there (`rewrite`, `local::redirect`).

use std::io::Write;

use plan::Template;
use plan::template::{Accessor, Part};
use wire::h1::write::decimal;

use crate::basic;
use crate::scene::{Scene, parameters};

/// Appends the expansion of `template` to `out`.
pub(crate) fn expand(template: &Template, scene: &Scene<'_>, out: &mut Vec<u8>) {
    for part in template.parts() {
        match part {
            Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Part::Capture { group, of } => {
                out.extend_from_slice(scene.capture(*group, of).unwrap_or_default());
            }
            Part::Accessor(accessor) => access(accessor, scene, out),
        }
    }
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
            if let Some(port) = scene.port() {
                decimal(u64::from(port), out);
            }
        }
        Accessor::RemoteIp { forwarded } => {
            if let Some(address) = scene.address(*forwarded) {
                // Writing to a Vec cannot fail.
                let _ = write!(out, "{address}");
            }
        }
        Accessor::User => out.extend_from_slice(&basic::user(request.fields()).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
