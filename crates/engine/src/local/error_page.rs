//! What a client sees when we answer with an error: the operator's page, or a small one of ours.
//!
//! Our own page names the status and the stable code of the fault, and nothing of the request or of what stands behind
//! us. An operator finds the code in the log, with the rest of the story.

use std::borrow::Cow;

use plan::page::NEVER_KEPT;
use plan::{Listener, Page};

use crate::exchange::Exchange;
use crate::fault::Cause;
use crate::local::{Answer, Body, add, head, reason};

/// The answer for an error of this status; `code` is the stable code of the fault, shown on our own page alone.
pub(crate) fn page(listener: &Listener, status: u16, code: &str) -> Result<Answer, Cause> {
    match listener.error_pages.get(&status) {
        Some(page) => answer(page, status),
        None => small(status, code, ""),
    }
}

/// The answer to HTTP where TLS is spoken: as for any fault, with a link to where the client wanted to go.
pub(crate) fn plain_http(x: &Exchange, status: u16, code: &str) -> Result<Answer, Cause> {
    if x.listener().error_pages.contains_key(&status) {
        return page(x.listener(), status, code);
    }
    let host = x.request.host().and_then(|host| std::str::from_utf8(host).ok());
    let target = std::str::from_utf8(x.request.target()).ok().filter(|target| target.starts_with('/'));
    let advice = match host {
        Some(host) => {
            let link = escape(&format!("https://{host}{}", target.unwrap_or("/")));
            format!("<p>This port speaks HTTPS: <a href=\"{link}\">{link}</a></p>")
        }
        None => "<p>This port speaks HTTPS.</p>".to_owned(),
    };
    small(status, code, &advice)
}

/// As text and attributes of HTML have it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// An answer with the operator's page.
pub(super) fn answer(page: &Page, status: u16) -> Result<Answer, Cause> {
    let mut head = head(status)?;
    for (name, value) in &page.fields {
        add(&mut head, name, value.as_bytes())?;
    }
    Ok(Answer { head, body: Body::Bytes(Cow::Owned(page.body.clone())) })
}

/// The small page, with this between its title and its code.
fn small(status: u16, code: &str, advice: &str) -> Result<Answer, Cause> {
    let mut head = head(status)?;
    add(&mut head, "Content-Type", b"text/html; charset=utf-8")?;
    for (name, value) in NEVER_KEPT {
        add(&mut head, name, value.as_bytes())?;
    }
    let title = reason(status);
    let body = format!(
        "<!DOCTYPE html>\n<html><head><title>{status} {title}</title></head>\n\
         <body><h1>{status} {title}</h1>{advice}<p><small>{code}</small></p></body></html>\n"
    );
    Ok(Answer { head, body: Body::Bytes(Cow::Owned(body.into_bytes())) })
}
