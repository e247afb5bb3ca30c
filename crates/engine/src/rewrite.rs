//! Changes to requests and answers, in the order of the file: listener, then service; for answers the other way round.
//!
//! Values are expanded from what peers sent, decoded even (`Path -decode`), so nothing expanded is trusted: whatever
//! could not stand at its place in a message is percent-encoded, and a target is held against the grammar again
//! before it goes on.

use plan::rewrite::{FieldEdit, RequestEdit, ResponseEdit, Step};
use plan::{Pattern, Template};
use wire::{EditError, Fields, Known, ParseError, field, target};

use crate::condition;
use crate::exchange::Exchange;
use crate::expand;
use crate::fault::{Cause, Fault, Stage};
use crate::forwarded;
use crate::h1::TrailerRule;
use crate::scene::{Scene, is_parameter, split_parameter};

/// Rewrites the request for the service with this id: first what we say about the client, then the listener's changes,
/// then the service's, so that an operator has the last word.
///
/// # Errors
/// A condition that cannot be evaluated, or a change that leaves no valid request.
pub(crate) fn request(x: &mut Exchange, service: usize) -> Result<(), Fault> {
    forwarded::apply(x);
    // One more reference, so that the plan's steps can be read while the exchange is written.
    let running = x.running.clone();
    let plan = &running.plan;
    let steps =
        [&plan.listeners[x.client.listener].rewrites.request, &plan.services[service].rewrites.request];
    if steps.iter().all(|steps| steps.is_empty()) {
        return Ok(());
    }
    for steps in steps {
        walk(steps, x, Scene::of_rewrite, edit_request)?;
    }
    // Captured pieces can combine to what no client may send, such as `/../` out of a dot here and a dot there.
    target::classify(x.request.target(), x.request.method_kind()).map_err(bad_target)?;
    if target::has_dot_segment(x.request.path()) {
        return Err(bad_target(ParseError::DotSegment));
    }
    Ok(())
}

/// Rewrites the answer, or an answer of our own: the service's changes, if one was found, then the listener's.
///
/// # Errors
/// As [`request`].
pub(crate) fn response(x: &mut Exchange) -> Result<(), Fault> {
    let running = x.running.clone();
    let plan = &running.plan;
    if let Some(service) = x.service.and_then(|service| plan.services.get(service)) {
        walk(&service.rewrites.response, x, Scene::of_response, edit_response)?;
    }
    walk(&plan.listeners[x.client.listener].rewrites.response, x, Scene::of_response, edit_response)
}

/// What the rules for the head of a request mean for its trailers, where a back-end that merges the two would take a
/// field for one of the head: what clients may not claim goes whoever they are, and so does each field that some edit
/// of the listener or the service sets or deletes, whether or not its conditions hold.
pub(crate) fn request_trailer_rule(x: &Exchange, service: usize) -> TrailerRule {
    let (running, listener, nominated) = (x.running.clone(), x.client.listener, x.nominated.clone());
    Box::new(move |trailers| {
        let plan = &running.plan;
        let (listener, service) = (&plan.listeners[listener], &plan.services[service]);
        nominated.remove_from(trailers);
        forwarded::strip(trailers, listener, service);
        for steps in [&listener.rewrites.request, &service.rewrites.request] {
            each_edit(steps, &mut |edit| {
                if let RequestEdit::Field(edit) = edit {
                    strip(edit, trailers);
                }
            });
        }
    })
}

/// The same for the trailers of an answer.
pub(crate) fn response_trailers(
    plan: &plan::Plan,
    listener: usize,
    service: Option<usize>,
    trailers: &mut Fields,
) {
    let service = service.and_then(|service| plan.services.get(service));
    let steps = service.map(|service| &service.rewrites.response);
    for steps in steps.into_iter().chain([&plan.listeners[listener].rewrites.response]) {
        each_edit(steps, &mut |ResponseEdit::Field(edit)| strip(edit, trailers));
    }
}

fn strip(edit: &FieldEdit, trailers: &mut Fields) {
    match edit {
        FieldEdit::Set { name, .. } => trailers.remove(name.as_bytes()),
        FieldEdit::Delete(pattern) => {
            let mut line = Vec::new();
            trailers.retain(|name, value| {
                line.clear();
                line.extend_from_slice(name);
                line.extend_from_slice(b": ");
                line.extend_from_slice(value);
                // A pattern that cannot be evaluated is no reason to let a field pass.
                matches!(pattern.is_match(&line), Ok(false))
            });
        }
    }
}

/// Visits the edits of all branches. Nesting ends where the configuration's does.
fn each_edit<Edit>(steps: &[Step<Edit>], visit: &mut dyn FnMut(&Edit)) {
    for step in steps {
        match step {
            Step::Edit(edit) => visit(edit),
            Step::Choose(branches) => branches.iter().for_each(|branch| each_edit(&branch.steps, visit)),
        }
    }
}

/// Does the steps, of each choice the first branch whose condition holds. Nesting ends where the configuration's does.
fn walk<Edit>(
    steps: &[Step<Edit>],
    x: &mut Exchange,
    scene: for<'a> fn(&'a mut Exchange) -> Scene<'a>,
    edit: fn(&Edit, &mut Exchange) -> Result<(), Fault>,
) -> Result<(), Fault> {
    for step in steps {
        match step {
            Step::Edit(change) => edit(change, x)?,
            Step::Choose(branches) => {
                for branch in branches {
                    if condition::holds(&branch.condition, &mut scene(x))? {
                        walk(&branch.steps, x, scene, edit)?;
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

fn edit_response(edit: &ResponseEdit, x: &mut Exchange) -> Result<(), Fault> {
    match edit {
        ResponseEdit::Field(FieldEdit::Set { name, value }) => {
            let value = field_value(value, &Scene::of_response(x))?;
            set(x.response.fields_mut(), name, &value)
        }
        ResponseEdit::Field(FieldEdit::Delete(pattern)) => delete(x.response.fields_mut(), pattern),
    }
}

fn edit_request(edit: &RequestEdit, x: &mut Exchange) -> Result<(), Fault> {
    let new = match edit {
        // `OPTIONS *` asks about the server and has no query to change.
        RequestEdit::SetQuery(_) | RequestEdit::DeleteQuery | RequestEdit::SetQueryParam { .. }
            if x.request.path() == b"*" =>
        {
            return Ok(());
        }
        RequestEdit::Field(FieldEdit::Set { name, value }) => {
            let value = field_value(value, &Scene::of_rewrite(x))?;
            if field::lookup(name.as_bytes()) == Some(Known::Host) && target::authority(&value).is_err() {
                let value = String::from_utf8_lossy(&value);
                return Err(fault(format!("SetHeader: \"{}\" cannot be a Host", value.escape_debug())));
            }
            return set(x.request.fields_mut(), name, &value);
        }
        RequestEdit::Field(FieldEdit::Delete(pattern)) => return delete(x.request.fields_mut(), pattern),
        RequestEdit::SetUrl(url) => {
            let text = expansion(url, x, false)?;
            let (path, query) = match memchr::memchr(b'?', &text) {
                Some(at) => (&text[..at], Some(&text[at + 1..])),
                None => (&text[..], None),
            };
            compose(path, query)
        }
        RequestEdit::SetPath { path, encode } => compose(&expansion(path, x, *encode)?, x.request.query()),
        RequestEdit::SetQuery(query) => {
            let query = expansion(query, x, false)?;
            compose(x.request.path(), (!query.is_empty()).then_some(&query[..]))
        }
        RequestEdit::DeleteQuery => compose(x.request.path(), None),
        RequestEdit::SetQueryParam { name, value, encode } => {
            let value = value.as_ref().map(|value| expansion(value, x, *encode)).transpose()?;
            let query = with_parameter(x.request.query(), name, value.as_deref());
            compose(x.request.path(), query.as_deref())
        }
    };
    x.request.set_target(&new).map_err(edit_fault)
}

/// The expansion of a template. `encode` makes it one piece of data, slashes apart: a path is given whole.
fn expansion(template: &Template, x: &mut Exchange, encode: bool) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    expand::expand(template, &Scene::of_rewrite(x), &mut text)?;
    if !encode {
        return Ok(text);
    }
    let mut encoded = Vec::with_capacity(text.len());
    for (index, segment) in text.split(|&byte| byte == b'/').enumerate() {
        if index > 0 {
            encoded.push(b'/');
        }
        target::percent_encode(segment, &mut encoded);
    }
    Ok(encoded)
}

/// The query with the parameter set, at the place of the first of that name, or without it; `None` if nothing is left.
fn with_parameter(query: Option<&[u8]>, name: &str, value: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut add = |pieces: &[&[u8]]| {
        match &mut out {
            Some(out) => out.push(b'&'),
            None => out = Some(Vec::new()),
        }
        if let Some(out) = &mut out {
            pieces.iter().for_each(|piece| out.extend_from_slice(piece));
        }
    };
    let mut value = value;
    let mut encoded = Vec::new();
    target::percent_encode(name.as_bytes(), &mut encoded);
    for pair in query.into_iter().flat_map(|query| query.split(|&byte| byte == b'&')) {
        if !is_parameter(split_parameter(pair).0, name) {
            add(&[pair]);
        } else if let Some(value) = value.take() {
            add(&[&encoded, b"=", value]);
        }
    }
    if let Some(value) = value {
        add(&[&encoded, b"=", value]);
    }
    out
}

/// A target in origin-form out of any bytes.
fn compose(path: &[u8], query: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len() + query.map_or(0, <[u8]>::len) + 2);
    if !path.starts_with(b"/") {
        out.push(b'/');
    }
    escape(path, b"\"#<>?\\^`{|}", &mut out);
    if let Some(query) = query {
        out.push(b'?');
        // Browsers send the rest of these raw in a query, and it need not change on its way.
        escape(query, b"\"#<>", &mut out);
    }
    out
}

/// Appends `text`, with what is no visible ASCII and the bytes of `set` percent-encoded. Escapes that are there stay; a
/// percent sign that begins none is data.
pub(crate) fn escape(text: &[u8], set: &[u8], out: &mut Vec<u8>) {
    let is_hex = |at: usize| text.get(at).is_some_and(u8::is_ascii_hexdigit);
    for (at, &byte) in text.iter().enumerate() {
        let stays = if byte == b'%' {
            is_hex(at + 1) && is_hex(at + 2)
        } else {
            byte.is_ascii_graphic() && !set.contains(&byte)
        };
        if stays { out.push(byte) } else { target::percent_encode(&[byte], out) }
    }
}

/// The expansion of a field value, with every control byte encoded: a decoded CR LF in a capture begins no field.
fn field_value(template: &Template, scene: &Scene<'_>) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    expand::expand(template, scene, &mut text)?;
    let is_fine = |byte: u8| byte == b'\t' || !byte.is_ascii_control();
    if text.iter().all(|&byte| is_fine(byte)) {
        return Ok(text);
    }
    let mut value = Vec::with_capacity(text.len() + 16);
    for byte in text {
        if is_fine(byte) { value.push(byte) } else { target::percent_encode(&[byte], &mut value) }
    }
    Ok(value)
}

fn set(fields: &mut Fields, name: &str, value: &[u8]) -> Result<(), Fault> {
    // Framing and what belongs to the connection are written by the codec alone. `config` says so for each such line;
    // here it must not depend on that.
    let known = field::lookup(name.as_bytes());
    if known.is_some_and(|known| known == Known::ContentLength || known.is_hop_by_hop()) {
        return Ok(());
    }
    fields.set(name.as_bytes(), value).map_err(edit_fault)
}

fn delete(fields: &mut Fields, pattern: &Pattern) -> Result<(), Fault> {
    let mut failed = None;
    let mut line = Vec::new();
    fields.retain(|name, value| {
        line.clear();
        line.extend_from_slice(name);
        line.extend_from_slice(b": ");
        line.extend_from_slice(value);
        match pattern.is_match(&line) {
            Ok(matches) => !matches,
            Err(error) => {
                failed = Some(error);
                true
            }
        }
    });
    failed.map_or(Ok(()), |error| Err(fault(format!("DeleteHeader: {error}"))))
}

fn fault(sentence: String) -> Fault {
    Fault::new(Stage::Rewrite, Cause::Evaluation(sentence))
}

fn edit_fault(error: EditError) -> Fault {
    fault(error.to_string())
}

/// What a client can bring about by its choice of bytes is its own fault.
fn bad_target(error: ParseError) -> Fault {
    Fault::new(Stage::Rewrite, Cause::BadRequest(error))
}

#[cfg(test)]
mod tests;
