//! Answers of our own: what a service makes by itself, and the only place where a fault becomes bytes.

use std::fs::File;
use std::io::{self, Read};

use plan::{Listener, Silence};
use wire::h1::write::Framing;
use wire::{BodyLength, Known, Method, Version};

use crate::client::Client;
use crate::exchange::{Exchange, Sent};
use crate::fault::{Cause, Fault, Stage};
use crate::limits;
use crate::local::{self, Answer, Body};
use crate::parts::Parts;
use crate::rewrite;

/// What becomes of the client's connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It may carry another request.
    Open,
    /// It is closed so that the answer arrives.
    Close,
    /// It is dropped: there is nobody, or what was sent must not pass for whole.
    Drop,
}

/// Tells the client what went wrong, as far as there is somebody to tell and something can still be said.
pub(crate) async fn fault(x: &mut Exchange, client: &mut Client, parts: &Parts, fault: &Fault) -> Keep {
    let row = fault.cause.row();
    if x.sent.status != 0 && !client.take_head_back() {
        // Part of an answer is on its way; dropping the connection cuts it.
        return Keep::Drop;
    }
    x.sent = Sent::default();
    if row.status == 0 {
        return Keep::Drop;
    }
    x.keep &= !fault.cause.loses_framing();
    let answer = match fault.cause {
        Cause::PlainHttp => local::error_page::plain_http(x, row.status, row.code),
        _ => local::error_page::page(x.listener(), row.status, row.code),
    };
    let Ok(answer) = answer else {
        return Keep::Drop;
    };
    x.response = answer.head;
    if matches!(fault.cause, Cause::MethodNotAllowed) {
        // RFC 9110 section 15.5.6: which ones are. A full head goes without.
        let methods = allowed(x.listener());
        let _ = x.response.fields_mut().append_known(Known::Allow, &methods);
    }
    match send(x, client, parts, answer.body).await {
        Ok(()) if x.keep => Keep::Open,
        Ok(()) => Keep::Close,
        Err(_) => Keep::Drop,
    }
}

/// The methods that pass a listener, as Allow lists them.
fn allowed(listener: &Listener) -> Vec<u8> {
    let passes = |method: &&Method| method.group().is_some_and(|group| group <= listener.methods as u8);
    let by_level = Method::KNOWN.iter().filter(passes).filter_map(|method| method.name());
    let mut names: Vec<&str> = by_level.filter(|name| *name != "CONNECT").collect();
    for name in &listener.methods_named {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names.join(", ").into_bytes()
}

/// Sends an answer that a service made by itself, changed as answers of back-ends are.
pub(crate) async fn local(
    x: &mut Exchange,
    client: &mut Client,
    parts: &Parts,
    answer: Answer,
) -> Result<(), Fault> {
    x.response = answer.head;
    rewrite::response(x)?;
    send(x, client, parts, answer.body).await.map_err(|cause| Fault::new(Stage::Local, cause))
}

/// Sends the answer that stands in the exchange, with this body.
async fn send(x: &mut Exchange, client: &mut Client, parts: &Parts, body: Body) -> Result<(), Cause> {
    let length = match &body {
        Body::Bytes(bytes) => bytes.len() as u64,
        Body::File { length, .. } => *length,
        Body::None => 0,
    };
    let headless = x.request.method_kind() == Method::Head || matches!(body, Body::None);
    // RFC 9110 section 6.6.1: an origin with a clock says when; a page of the operator's may say otherwise.
    if x.response.fields().get(Known::Date).is_none() {
        let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + parts.clock.wall());
        let _ = x.response.fields_mut().append_known(Known::Date, date.as_bytes());
    }
    // A body that the client has not finished sending is read as far as it is here; more of it is not waited for.
    x.keep = x.keep && !parts.stopping.get() && client.discard_body(&parts.store).await;
    let http10 = x.request.version() == Version::Http10;
    let connection: Option<&[u8]> = match (x.keep, http10) {
        (false, _) => Some(b"close"),
        (true, true) => Some(b"keep-alive"),
        (true, false) => None,
    };
    let framing = if headless {
        let length_info = (!matches!(body, Body::None)).then_some(length);
        Framing { connection, length_info, ..Framing::of(BodyLength::None) }
    } else {
        Framing { connection, ..Framing::of(BodyLength::Length(length)) }
    };
    let silence = x.listener().client_stream;
    client.begin_own_answer();
    client.write_head(x, &framing, &parts.store);
    if !headless {
        match body {
            Body::Bytes(bytes) => {
                client.write_body(&bytes, silence).await?;
                x.sent.body_bytes = length;
            }
            Body::File { file, length } => send_file(x, client, file, length, silence).await?,
            Body::None => {}
        }
    }
    client.flush(silence).await?;
    client.finish_answer();
    Ok(())
}

/// Sends a file piece by piece. It is read on a thread of its own: a cold disk must not hold up other clients.
async fn send_file(
    x: &mut Exchange,
    client: &mut Client,
    mut file: File,
    len: u64,
    silence: Silence,
) -> Result<(), Cause> {
    let mut left = len;
    let mut piece = Vec::new();
    while left > 0 {
        let most = left.min(limits::FILE_READ_BYTES as u64);
        let read = tokio::task::spawn_blocking(move || {
            piece.clear();
            let result = Read::by_ref(&mut file).take(most).read_to_end(&mut piece);
            (file, piece, result)
        })
        .await;
        let Ok((back, bytes, result)) = read else {
            return Err(Cause::FileUnreadable(io::Error::other("the reading thread ended")));
        };
        (file, piece) = (back, bytes);
        match result {
            // The file has become shorter since its length was told: what is missing cannot be made up.
            Ok(0) => return Err(Cause::FileUnreadable(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => {
                client.write_body(&piece, silence).await?;
                x.sent.body_bytes += read as u64;
                left -= read as u64;
            }
            Err(error) => return Err(Cause::FileUnreadable(error)),
        }
    }
    Ok(())
}
