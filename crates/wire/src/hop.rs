//! Fields that end at this hop: Connection, what it names, and what belongs to a connection by definition.
//!
//! RFC 9110 section 7.6.1 wants every field named by Connection removed before forwarding. Taken to the letter, a
//! client could have any field removed that a proxy before us has added, for instance its X-Forwarded-For. So fields the
//! table marks as kept stay: the same section forbids to name fields that are meant for the final recipient, and a
//! sender who breaks that rule has no claim to the removal.

use crate::field::{self, Known};
use crate::head::{Fields, RequestHead, Version};
use crate::token;

/// Names that a Connection field has nominated, apart from those removed anyway and those that are kept.
///
/// Nearly always empty, and then without allocation. Kept by the caller until the trailers have come, since the rule
/// covers trailer fields too.
#[derive(Clone, Debug, Default)]
pub struct Nominated {
    /// Lower-case names, sorted, so that many options times many fields is not many comparisons.
    names: Vec<Box<[u8]>>,
}

impl Nominated {
    /// Reads the Connection fields of a head.
    #[must_use]
    pub fn by(fields: &Fields) -> Nominated {
        let mut names: Vec<Box<[u8]>> = fields
            .get_all(Known::Connection)
            .flat_map(token::list)
            .filter(|member| nominates(member))
            .map(|member| member.to_ascii_lowercase().into_boxed_slice())
            .collect();
        names.sort_unstable();
        names.dedup();
        Nominated { names }
    }

    /// Whether nothing was nominated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether a field of this name, in any case, is to be removed.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        let lower = || name.iter().map(u8::to_ascii_lowercase);
        self.names.binary_search_by(|known| known.iter().copied().cmp(lower())).is_ok()
    }

    /// Removes the nominated fields, for instance from a trailer section.
    pub fn remove_from(&self, fields: &mut Fields) {
        if !self.is_empty() {
            fields.retain(|name, _| !self.contains(name));
        }
    }
}

/// Whether a connection option names a field that must be removed because of it. `close` and `keep-alive` are options
/// without a field, or with one that goes anyway; what is no token can be no field.
fn nominates(member: &[u8]) -> bool {
    match field::lookup(member) {
        Some(known) => !known.is_hop_by_hop() && !known.is_kept_from_connection(),
        None => !member.eq_ignore_ascii_case(b"close") && token::is_token(member),
    }
}

/// Removes what must not be forwarded: Connection and the fields it names, Keep-Alive, Proxy-Connection, TE,
/// Transfer-Encoding, Upgrade, HTTP2-Settings, Pound-Hops and credentials for proxies.
///
/// Framing is computed anew by [`write`](crate::h1::write), an upgrade that is wanted is read before with
/// [`upgrade_request`]. Content-Length and Trailer are end-to-end and stay here. The result is for trailers that come
/// later.
pub fn remove_hop_by_hop(fields: &mut Fields) -> Nominated {
    let nominated = Nominated::by(fields);
    fields.retain_known(|known, name, _| {
        !known.is_some_and(Known::is_hop_by_hop) && (nominated.is_empty() || !nominated.contains(name))
    });
    nominated
}

/// The protocol a request asks to switch to, when it asks validly and for one a proxy may pass on.
///
/// RFC 9110 section 7.8: only in HTTP/1.1 and only with the `upgrade` connection option. Of several protocols the first
/// one is taken that is not a version of HTTP: an upgrade to HTTP/2 in clear text (`h2c`) would carry further requests
/// past every rule, and RFC 9113 has removed it. Which protocols are allowed beyond that is the caller's decision.
#[must_use]
pub fn upgrade_request(head: &RequestHead) -> Option<&[u8]> {
    if head.version() != Version::Http11 {
        return None;
    }
    upgrade(head.fields())
}

/// The protocol of an Upgrade that its Connection field confirms, versions of HTTP left out; of a request or a 101.
#[must_use]
pub fn upgrade(fields: &Fields) -> Option<&[u8]> {
    if !fields.contains_token(Known::Connection, b"upgrade") {
        return None;
    }
    fields.get_all(Known::Upgrade).flat_map(token::list).find(|protocol| is_foreign(protocol))
}

/// `protocol-name ["/" version]`, where the name is none of HTTP's own.
fn is_foreign(protocol: &[u8]) -> bool {
    let mut words = protocol.split(|&byte| byte == b'/');
    let name = words.next().unwrap_or_default();
    let well_formed =
        token::is_token(name) && words.next().is_none_or(token::is_token) && words.next().is_none();
    const HTTP: &[&[u8]] = &[b"h2c", b"h2", b"h3", b"http", b"tls"];
    well_formed && !HTTP.iter().any(|own| name.eq_ignore_ascii_case(own))
}

#[cfg(test)]
mod tests;
