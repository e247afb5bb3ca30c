//! Answers that need no back-end.
//!
//! Each kind gives a head and a body; who calls writes them to the client, after the rewrites of answers.

pub(crate) mod error_page;
pub(crate) mod file;
mod media_type;
mod range;
mod redirect;
mod success;
mod version;

use std::borrow::Cow;
use std::fs::File;

use plan::Target;
use wire::{ResponseHead, Slots};

use crate::exchange::Exchange;
use crate::fault::{self, Cause, Fault, Stage};

/// An answer made here.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Status and fields, without framing.
    pub(crate) head: ResponseHead,
    /// What follows it; an answer to HEAD has the same length and sends none of it.
    pub(crate) body: Body,
}

/// The body of an answer made here.
#[derive(Debug)]
pub(crate) enum Body {
    /// Bytes in memory. Empty is written as `Content-Length: 0`.
    Bytes(Cow<'static, [u8]>),
    /// Of a file, from the place that it stands at.
    File {
        /// Open for reading.
        file: File,
        /// How much of it, in bytes: at most its size when it was opened.
        length: u64,
    },
    /// None, and none is announced: 304.
    None,
}

/// Answers for a service that has no back-ends.
///
/// # Errors
/// `NothingToAnswer`, and what goes wrong with a file.
pub(crate) fn answer(target: &Target, x: &mut Exchange) -> Result<Answer, Fault> {
    let answer = match target {
        Target::Redirect(redirect) => redirect::answer(redirect, x),
        Target::Error { status, page: Some(page) } => error_page::answer(page, *status),
        Target::Error { status, page: None } => error_page::page(x.listener(), *status, fault::ASKED.code),
        Target::Files(root) => file::answer(root, x),
        Target::Success => success::answer(),
        // A service with back-ends never comes here; if it did, it would have nothing to answer with either.
        Target::Nothing | Target::Backends(_) => Err(Cause::NothingToAnswer),
    };
    answer.map_err(|cause| Fault::new(Stage::Local, cause))
}

/// The phrase that goes with a status; empty for one that has none (RFC 9110 section 15).
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        _ => "",
    }
}

/// A head of ours with the usual phrase.
fn head(status: u16) -> Result<ResponseHead, Cause> {
    ResponseHead::compose(Vec::with_capacity(256), Slots::default(), status, reason(status).as_bytes())
        .map_err(|error| Cause::Evaluation(error.to_string()))
}

/// Adds a field; one that cannot stand in a message is our own mistake.
fn add(head: &mut ResponseHead, name: &str, value: &[u8]) -> Result<(), Cause> {
    head.fields_mut()
        .append(name.as_bytes(), value)
        .map_err(|error| Cause::Evaluation(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests;
