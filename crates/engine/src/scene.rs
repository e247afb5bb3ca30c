//! What conditions and templates can see of an exchange.
//!
//! A view, made for one stage and gone after it: the request, the answer once there is one, who the client is, and
//! the groups of earlier matches. Whoever evaluates something gets this and not the whole exchange.

use std::net::IpAddr;

use plan::limits::CAPTURE_BACK_MAX;
use plan::template::Which;
use wire::{Fields, RequestHead, ResponseHead, target};

use crate::exchange::{Captured, ClientFacts, Exchange};
use crate::fault::{Cause, Fault, Stage};

/// A view of an exchange.
pub(crate) struct Scene<'a> {
    /// At which stage something is evaluated; an error of it is reported so.
    pub(crate) stage: Stage,
    /// The request as it is now.
    pub(crate) request: &'a RequestHead,
    /// The answer, in a rewrite of answers.
    pub(crate) response: Option<&'a ResponseHead>,
    /// The connection.
    pub(crate) client: &'a ClientFacts,
    /// The client's address as trusted proxies report it.
    pub(crate) origin: Option<IpAddr>,
    /// Matches so far, the latest last.
    pub(crate) captures: &'a mut Vec<Captured>,
    /// Whether matches are to be kept.
    pub(crate) keep: bool,
}

impl Scene<'_> {
    /// What a rewrite of requests sees.
    pub(crate) fn of_rewrite(x: &mut Exchange) -> Scene<'_> {
        Scene {
            stage: Stage::Rewrite,
            request: &x.request,
            response: None,
            client: &x.client,
            origin: x.origin,
            captures: &mut x.captures,
            keep: x.running.plan.captures,
        }
    }

    /// What a rewrite of answers sees.
    pub(crate) fn of_response(x: &mut Exchange) -> Scene<'_> {
        Scene {
            stage: Stage::Rewrite,
            request: &x.request,
            response: Some(&x.response),
            client: &x.client,
            origin: x.origin,
            captures: &mut x.captures,
            keep: x.running.plan.captures,
        }
    }
}

impl<'a> Scene<'a> {
    /// The fields that are spoken of: the answer's where there is one.
    pub(crate) fn fields(&self) -> &'a Fields {
        match self.response {
            Some(response) => response.fields(),
            None => self.request.fields(),
        }
    }

    /// The peer's address, or the one that trusted proxies report.
    pub(crate) fn address(&self, forwarded: bool) -> Option<IpAddr> {
        if forwarded { self.origin.or_else(|| self.client.peer.ip()) } else { self.client.peer.ip() }
    }

    /// The host that was asked for, without its port and without the dot that may end a domain name.
    pub(crate) fn host(&self) -> Option<&'a [u8]> {
        Some(hosts(self.request)?.bare)
    }

    /// The port in what was asked for.
    pub(crate) fn port(&self) -> Option<u16> {
        target::authority(self.request.host()?).ok()?.port
    }

    /// A group of an earlier match: empty if the group is there and took no part in the match.
    ///
    /// # Errors
    /// There is no such match, or its pattern has no such group.
    pub(crate) fn capture(&self, group: u8, of: &Which) -> Result<&[u8], Missing> {
        let captured = match of {
            Which::Back(back) => {
                debug_assert!(usize::from(*back) <= CAPTURE_BACK_MAX);
                self.captures.iter().rev().nth(usize::from(*back))
            }
            Which::Tag(tag) => self.captures.iter().rev().find(|captured| captured.tag.as_ref() == Some(tag)),
        };
        let groups = &captured.ok_or(Missing::Match { made: self.captures.len() })?.groups;
        match groups.get(usize::from(group)) {
            Some(text) => Ok(text.as_deref().unwrap_or_default()),
            None => Err(Missing::Group { groups: groups.len().saturating_sub(1) }),
        }
    }

    /// The fault of something that cannot be evaluated.
    pub(crate) fn fault(&self, sentence: impl Into<String>) -> Fault {
        Fault::new(self.stage, Cause::Evaluation(sentence.into()))
    }
}

/// Why a reference to a match stands for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// There is no such match among the `made` ones.
    Match {
        /// How many patterns have matched so far.
        made: usize,
    },
    /// The pattern that matched has only this many groups.
    Group {
        /// The whole match apart.
        groups: usize,
    },
}

/// The host that was asked for, in the ways in which a pattern may mean it.
pub(crate) struct Hosts<'a> {
    /// As the request has it.
    raw: &'a [u8],
    /// Without its port, and without the dot that may end a domain name.
    pub(crate) bare: &'a [u8],
    /// With its port and without that dot, where there are both.
    with_port: Option<Vec<u8>>,
}

impl Hosts<'_> {
    /// Each of them once, the whole first: where that matches, the groups are those of Pound in C, which knows no other.
    pub(crate) fn each(&self) -> impl Iterator<Item = &[u8]> {
        let bare = (self.bare.len() < self.raw.len()).then_some(self.bare);
        std::iter::once(self.raw).chain(self.with_port.as_deref()).chain(bare)
    }
}

/// The host that was asked for; `None` if there is none, or none that could be one.
pub(crate) fn hosts(request: &RequestHead) -> Option<Hosts<'_>> {
    let raw = request.host()?;
    let authority = target::authority(raw).ok()?;
    let without_dot = authority.host.strip_suffix(b".");
    let with_port = authority.port.zip(without_dot).map(|(port, host)| {
        let mut text = host.to_vec();
        text.push(b':');
        text.extend_from_slice(port.to_string().as_bytes());
        text
    });
    Some(Hosts { raw, bare: without_dot.unwrap_or(authority.host), with_port })
}

/// The values of a query parameter, in order; a parameter without `=` has an empty one.
///
/// Names are compared decoded, as every application does: `%61=1` is the parameter `a`.
pub(crate) fn parameters<'q>(query: Option<&'q [u8]>, name: &str) -> impl Iterator<Item = &'q [u8]> {
    let pairs = query.unwrap_or_default().split(|&byte| byte == b'&');
    pairs.filter_map(move |pair| {
        let (found, value) = split_parameter(pair);
        is_parameter(found, name).then_some(value)
    })
}

/// Name and value of one piece between two `&`.
pub(crate) fn split_parameter(pair: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'=', pair) {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (pair, b""),
    }
}

/// Whether a name as it stands in a query is that name.
pub(crate) fn is_parameter(found: &[u8], name: &str) -> bool {
    match memchr::memchr(b'%', found) {
        Some(_) => target::percent_decode(found) == name.as_bytes(),
        None => found == name.as_bytes(),
    }
}
