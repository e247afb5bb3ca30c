//! What a client sees when we answer with an error: the operator's page, or a small one of ours.
//!
//! Our own page names the status and the stable code of the fault, and nothing of the request or of what stands behind
//! us. An operator finds the code in the log, with the rest of the story.

use std::borrow::Cow;

use plan::{Listener, Page};

use crate::fault::Cause;
use crate::local::{Answer, Body, add, head, reason};

/// The answer for an error of this status; `code` is the stable code of the fault, shown on our own page alone.
pub(crate) fn page(listener: &Listener, status: u16, code: &str) -> Result<Answer, Cause> {
    match listener.error_pages.get(&status) {
        Some(page) => answer(page, status),
        None => built_in(status, code),
    }
}

/// An answer with the operator's page.
pub(super) fn answer(page: &Page, status: u16) -> Result<Answer, Cause> {
    let mut head = head(status)?;
    for (name, value) in &page.fields {
        add(&mut head, name, value.as_bytes())?;
    }
    Ok(Answer { head, body: Body::Bytes(Cow::Owned(page.body.clone())) })
}

fn built_in(status: u16, code: &str) -> Result<Answer, Cause> {
    let mut head = head(status)?;
    for (name, value) in [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")] {
        add(&mut head, name, value.as_bytes())?;
    }
    let title = reason(status);
    let body = format!(
        "<!DOCTYPE html>\n<html><head><title>{status} {title}</title></head>\n\
         <body><h1>{status} {title}</h1><p><small>{code}</small></p></body></html>\n"
    );
    Ok(Answer { head, body: Body::Bytes(Cow::Owned(body.into_bytes())) })
}
