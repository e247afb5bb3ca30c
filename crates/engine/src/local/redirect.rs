//! `Redirect`: sends the client elsewhere.
//!
//! The URL is expanded from the request, so nothing of it is taken at its word: it is escaped as a URL for Location, and
//! once more as HTML for the page that only people without a browser see (RFC 9110 section 15.4 asks for one).

use std::borrow::Cow;

use plan::service::Redirect;

use crate::exchange::Exchange;
use crate::expand;
use crate::fault::{Cause, Fault};
use crate::local::{Answer, Body, add, head, reason};
use crate::rewrite;
use crate::scene::Scene;

/// Bytes that may stand in no part of a URL (RFC 3986 section 2); what is no visible ASCII goes without saying. The
/// apostrophe may, but people paste URLs between apostrophes.
const ENCODED: &[u8] = b"\"'<>\\^`{|}";

pub(super) fn answer(redirect: &Redirect, x: &mut Exchange) -> Result<Answer, Cause> {
    let location = location(redirect, x).map_err(|fault| fault.cause)?;
    let mut head = head(redirect.status)?;
    add(&mut head, "Location", &location)?;
    add(&mut head, "Content-Type", b"text/html; charset=utf-8")?;
    Ok(Answer { head, body: Body::Bytes(Cow::Owned(page(redirect.status, &location))) })
}

fn location(redirect: &Redirect, x: &mut Exchange) -> Result<Vec<u8>, Fault> {
    let mut text = Vec::new();
    expand::expand(&redirect.url, &Scene::of_rewrite(x), &mut text)?;
    // `OPTIONS *` names nothing that could be appended.
    if redirect.append_target && x.request.target().starts_with(b"/") {
        text.extend_from_slice(x.request.target());
    }
    let mut location = Vec::with_capacity(text.len());
    rewrite::escape(&text, ENCODED, &mut location);
    Ok(location)
}

fn page(status: u16, location: &[u8]) -> Vec<u8> {
    let title = reason(status);
    let mut link = String::with_capacity(location.len());
    // Location is visible ASCII by now; quotes and angle brackets are gone, the ampersand is what is left of HTML.
    for byte in location {
        match byte {
            b'&' => link.push_str("&amp;"),
            byte => link.push(char::from(*byte)),
        }
    }
    format!(
        "<!DOCTYPE html>\n<html><head><title>{status} {title}</title></head>\n\
         <body><h1>{title}</h1><p>Go to <a href=\"{link}\">{link}</a>.</p></body></html>\n"
    )
    .into_bytes()
}
