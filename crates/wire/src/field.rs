//! The fields a proxy must understand, one row each.
//!
//! A field that is not in the table is opaque: it is validated, counted and passed on. The table says what the RFCs
//! say about the others, so that no other file compares names by hand.

use crate::token;

/// What is special about a field. A set of flags, so that one row of the table is one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Traits(u8);

impl Traits {
    const NONE: Traits = Traits(0);
    /// At most one line and one value; two are an error or an ambiguity.
    const SINGLE: Traits = Traits(1);
    /// A comma-separated list, so several lines equal one joined line (RFC 9110 section 5.3).
    const LIST: Traits = Traits(2);
    /// About this connection only; never forwarded (RFC 9110 section 7.6.1).
    const HOP: Traits = Traits(4);
    /// Never taken from a trailer section (RFC 9110 section 6.5.1): framing, routing, authentication, request
    /// modifiers, answer control, and what says how to read the content.
    const NO_TRAILER: Traits = Traits(8);
    /// Meant for the final recipient: naming it in Connection does not remove it.
    const KEPT: Traits = Traits(16);
    /// As `KEPT`, and a request whose Connection names it is refused.
    const REFUSED: Traits = Traits(16 | 32);

    const fn and(self, other: Traits) -> Traits {
        Traits(self.0 | other.0)
    }

    const fn has(self, other: Traits) -> bool {
        self.0 & other.0 == other.0
    }
}

macro_rules! fields {
    ($($variant:ident $name:literal [$($flag:ident)*])*) => {
        /// A field the codec or the proxy has to recognise.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Known {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        const ROWS: &[(Known, &str, Traits)] = &[
            $((Known::$variant, $name, Traits::NONE$(.and(Traits::$flag))*),)*
        ];
    };
}

fields! {
    // Framing and the connection.
    ContentLength "Content-Length" [SINGLE NO_TRAILER REFUSED]
    TransferEncoding "Transfer-Encoding" [LIST HOP NO_TRAILER REFUSED]
    Connection "Connection" [LIST HOP NO_TRAILER]
    KeepAlive "Keep-Alive" [LIST HOP NO_TRAILER]
    ProxyConnection "Proxy-Connection" [LIST HOP NO_TRAILER]
    Te "TE" [LIST HOP NO_TRAILER]
    // Ours: how often a request has gone to a listener of the process that sent it. Nobody else gets to see it.
    PoundHops "Pound-Hops" [HOP NO_TRAILER]
    // Trailer only announces; with RFC 9110 it is end-to-end, and it may stay when trailers are forwarded.
    Trailer "Trailer" [LIST NO_TRAILER]
    Upgrade "Upgrade" [LIST HOP NO_TRAILER]
    Http2Settings "HTTP2-Settings" [SINGLE HOP NO_TRAILER]
    Expect "Expect" [LIST NO_TRAILER KEPT]
    MaxForwards "Max-Forwards" [SINGLE NO_TRAILER KEPT]
    // Credentials for a proxy end at the last one that could have asked for them, which a gateway is.
    ProxyAuthenticate "Proxy-Authenticate" [LIST HOP NO_TRAILER]
    ProxyAuthorization "Proxy-Authorization" [SINGLE HOP NO_TRAILER]
    ProxyAuthenticationInfo "Proxy-Authentication-Info" [LIST HOP NO_TRAILER]
    // Routing and provenance. A client that could have these removed by naming them in Connection could hide where it
    // comes from, or undo what a proxy before us has vouched for.
    Host "Host" [SINGLE NO_TRAILER KEPT]
    Forwarded "Forwarded" [LIST NO_TRAILER KEPT]
    XForwardedFor "X-Forwarded-For" [LIST NO_TRAILER KEPT]
    XForwardedHost "X-Forwarded-Host" [LIST NO_TRAILER KEPT]
    XForwardedPort "X-Forwarded-Port" [LIST NO_TRAILER KEPT]
    XForwardedProto "X-Forwarded-Proto" [LIST NO_TRAILER KEPT]
    XRealIp "X-Real-IP" [SINGLE NO_TRAILER KEPT]
    FrontEndHttps "Front-End-Https" [SINGLE NO_TRAILER KEPT]
    Via "Via" [LIST NO_TRAILER KEPT]
    Location "Location" [SINGLE NO_TRAILER KEPT]
    ContentLocation "Content-Location" [SINGLE NO_TRAILER KEPT]
    Destination "Destination" [SINGLE NO_TRAILER KEPT]
    Referer "Referer" [SINGLE NO_TRAILER KEPT]
    Origin "Origin" [SINGLE NO_TRAILER KEPT]
    // Authentication and state.
    Authorization "Authorization" [SINGLE NO_TRAILER REFUSED]
    AuthenticationInfo "Authentication-Info" [LIST NO_TRAILER KEPT]
    WwwAuthenticate "WWW-Authenticate" [LIST NO_TRAILER KEPT]
    Cookie "Cookie" [NO_TRAILER REFUSED]
    SetCookie "Set-Cookie" [NO_TRAILER KEPT]
    // How to read the content.
    ContentType "Content-Type" [SINGLE NO_TRAILER KEPT]
    ContentEncoding "Content-Encoding" [LIST NO_TRAILER KEPT]
    ContentRange "Content-Range" [SINGLE NO_TRAILER KEPT]
    ContentDisposition "Content-Disposition" [SINGLE NO_TRAILER KEPT]
    ContentLanguage "Content-Language" [LIST KEPT]
    // Request modifiers and conditions.
    Range "Range" [SINGLE NO_TRAILER KEPT]
    IfMatch "If-Match" [LIST NO_TRAILER KEPT]
    IfNoneMatch "If-None-Match" [LIST NO_TRAILER KEPT]
    IfModifiedSince "If-Modified-Since" [SINGLE NO_TRAILER KEPT]
    IfUnmodifiedSince "If-Unmodified-Since" [SINGLE NO_TRAILER KEPT]
    IfRange "If-Range" [SINGLE NO_TRAILER KEPT]
    Accept "Accept" [LIST NO_TRAILER]
    AcceptCharset "Accept-Charset" [LIST NO_TRAILER]
    AcceptEncoding "Accept-Encoding" [LIST NO_TRAILER]
    AcceptLanguage "Accept-Language" [LIST NO_TRAILER]
    AcceptRanges "Accept-Ranges" [LIST]
    UserAgent "User-Agent" [SINGLE NO_TRAILER]
    // Answer control and caching.
    Age "Age" [SINGLE NO_TRAILER KEPT]
    CacheControl "Cache-Control" [LIST NO_TRAILER KEPT]
    Pragma "Pragma" [LIST NO_TRAILER KEPT]
    Expires "Expires" [SINGLE NO_TRAILER KEPT]
    Date "Date" [SINGLE NO_TRAILER KEPT]
    Vary "Vary" [LIST NO_TRAILER KEPT]
    RetryAfter "Retry-After" [SINGLE NO_TRAILER KEPT]
    Warning "Warning" [LIST NO_TRAILER]
    Allow "Allow" [LIST NO_TRAILER KEPT]
    Etag "ETag" [SINGLE]
    LastModified "Last-Modified" [SINGLE]
    Server "Server" [SINGLE]
    AltSvc "Alt-Svc" [LIST NO_TRAILER]
    StrictTransportSecurity "Strict-Transport-Security" [SINGLE NO_TRAILER KEPT]
    ContentSecurityPolicy "Content-Security-Policy" [LIST NO_TRAILER KEPT]
    // WebSocket (RFC 6455).
    SecWebsocketKey "Sec-WebSocket-Key" [SINGLE NO_TRAILER KEPT]
    SecWebsocketVersion "Sec-WebSocket-Version" [LIST NO_TRAILER KEPT]
    SecWebsocketAccept "Sec-WebSocket-Accept" [SINGLE NO_TRAILER KEPT]
    SecWebsocketProtocol "Sec-WebSocket-Protocol" [LIST NO_TRAILER KEPT]
    SecWebsocketExtensions "Sec-WebSocket-Extensions" [LIST NO_TRAILER KEPT]
}

impl Known {
    /// Every known field.
    pub fn all() -> impl Iterator<Item = Known> {
        ROWS.iter().map(|row| row.0)
    }

    /// The name in its usual spelling, as we write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        ROWS[self as usize].1
    }

    /// At most one line with one value may stand in a message.
    #[must_use]
    pub fn is_single(self) -> bool {
        self.traits().has(Traits::SINGLE)
    }

    /// The value is a comma-separated list, and several lines mean the joined list.
    #[must_use]
    pub fn is_list(self) -> bool {
        self.traits().has(Traits::LIST)
    }

    /// The field speaks about one connection and is never forwarded.
    #[must_use]
    pub fn is_hop_by_hop(self) -> bool {
        self.traits().has(Traits::HOP)
    }

    /// The field is dropped when it comes in a trailer section.
    #[must_use]
    pub fn is_forbidden_in_trailers(self) -> bool {
        self.traits().has(Traits::NO_TRAILER)
    }

    /// Naming the field in Connection does not remove it: it is meant for the final recipient (RFC 9110 section
    /// 7.6.1 forbids senders to name such fields).
    #[must_use]
    pub fn is_kept_from_connection(self) -> bool {
        self.traits().has(Traits::KEPT)
    }

    /// A request whose Connection names the field is refused: removing it would change framing or identity, keeping
    /// it would disobey the letter of RFC 9110 section 7.6.1, and no honest client asks.
    #[must_use]
    pub fn is_refused_in_connection(self) -> bool {
        self.traits().has(Traits::REFUSED)
    }

    fn traits(self) -> Traits {
        ROWS[self as usize].2
    }
}

/// Slots of the hash table; a power of two well above the number of rows, so that a collision-free seed is found
/// after few tries at compile time.
const SLOTS: usize = 1024;
const EMPTY: u8 = u8::MAX;

const fn slot(name: &[u8], seed: u64) -> usize {
    // Length and four bytes tell all known names apart. Or-ing 0x20 folds case; for the few bytes that are not
    // letters it merges some values, which only costs a failed comparison.
    let len = name.len();
    let mix = (len as u64)
        | ((name[0] | 0x20) as u64) << 8
        | ((name[len / 2] | 0x20) as u64) << 16
        | ((name[len * 3 / 4] | 0x20) as u64) << 24
        | ((name[len - 1] | 0x20) as u64) << 32;
    (mix.wrapping_mul(seed) >> (u64::BITS - SLOTS.trailing_zeros())) as usize
}

const fn place(seed: u64) -> Option<[u8; SLOTS]> {
    let mut table = [EMPTY; SLOTS];
    let mut row = 0;
    while row < ROWS.len() {
        let at = slot(ROWS[row].1.as_bytes(), seed);
        if table[at] != EMPTY {
            return None;
        }
        table[at] = row as u8;
        row += 1;
    }
    Some(table)
}

const fn build() -> (u64, [u8; SLOTS]) {
    // Odd multipliers from the golden ratio on. If two names had all of this in common no seed would part them, and
    // the compiler would say that evaluation takes too long.
    let mut seed = 0x9E37_79B9_7F4A_7C15u64;
    loop {
        if let Some(table) = place(seed) {
            return (seed, table);
        }
        seed = seed.wrapping_mul(0x5851_F42D_4C95_7F2D);
    }
}

const BUILT: (u64, [u8; SLOTS]) = build();
const SEED: u64 = BUILT.0;
static TABLE: [u8; SLOTS] = BUILT.1;

/// Finds a field by name, in any case. One hash, one comparison.
#[must_use]
pub fn lookup(name: &[u8]) -> Option<Known> {
    if name.is_empty() {
        return None;
    }
    let (known, text, _) = ROWS.get(usize::from(TABLE[slot(name, SEED) % SLOTS]))?;
    // Most names come in their usual spelling, and comparing exactly is several times faster.
    (name == text.as_bytes() || name.eq_ignore_ascii_case(text.as_bytes())).then_some(*known)
}

/// The known field that a CGI-style backend would take `name` for, when `name` is not that field itself.
///
/// CGI and its heirs turn `-` into `_`, so `X_Forwarded_For` and `X-Forwarded-For` become one variable there. A name
/// with an underscore that folds to a known name is such a twin and should be dropped before forwarding.
#[must_use]
pub fn underscore_twin(name: &[u8]) -> Option<Known> {
    const LONGEST: usize = 32;
    if name.len() > LONGEST || memchr::memchr(b'_', name).is_none() {
        return None;
    }
    let mut folded = [0u8; LONGEST];
    for (to, &from) in folded.iter_mut().zip(name) {
        *to = if from == b'_' { b'-' } else { from };
    }
    lookup(&folded[..name.len()])
}

/// Whether a field of this name may be taken from a trailer section.
///
/// Besides the table this refuses whole families that carry trust: `X-Forwarded-*`, `X-SSL-*` and `Proxy-*`, and
/// everything that looks like a forbidden field to a CGI-style backend.
#[must_use]
pub fn allowed_in_trailers(name: &[u8]) -> bool {
    let known = lookup(name).or_else(|| underscore_twin(name));
    if let Some(known) = known {
        return !known.is_forbidden_in_trailers();
    }
    const FAMILIES: &[&[u8]] = &[b"x-forwarded-", b"x-ssl-", b"proxy-"];
    token::is_token(name)
        && !FAMILIES.iter().any(|family| {
            name.len() >= family.len()
                && name
                    .iter()
                    .zip(*family)
                    .all(|(&a, &b)| a.to_ascii_lowercase() == b || (a == b'_' && b == b'-'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_row_in_any_case() {
        for known in Known::all() {
            let name = known.name();
            assert_eq!(lookup(name.as_bytes()), Some(known));
            assert_eq!(lookup(name.to_ascii_lowercase().as_bytes()), Some(known));
            assert_eq!(lookup(name.to_ascii_uppercase().as_bytes()), Some(known));
            assert!(token::is_token(name.as_bytes()) && name.len() <= 32);
            let longer = format!("{name}x");
            assert_eq!(lookup(longer.as_bytes()), None);
            assert_eq!(lookup(&name.as_bytes()[1..]), None, "{name}");
        }
    }

    #[test]
    fn other_names_are_unknown() {
        for name in [&b""[..], b"X", b"X-A", b"Content_Length", b"Content-Lengt\x88", b"hos\x54\x00", b"\xff"]
        {
            assert_eq!(lookup(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_field_is_single_or_list() {
        for known in Known::all() {
            assert!(!(known.is_single() && known.is_list()), "{known:?}");
            assert!(!known.is_refused_in_connection() || known.is_kept_from_connection());
            assert!(!known.is_hop_by_hop() || known.is_forbidden_in_trailers(), "{known:?}");
        }
    }

    #[test]
    fn underscores_shadow_known_names() {
        assert_eq!(underscore_twin(b"X_Forwarded_For"), Some(Known::XForwardedFor));
        assert_eq!(underscore_twin(b"content_length"), Some(Known::ContentLength));
        assert_eq!(underscore_twin(b"X_Forwarded-For"), Some(Known::XForwardedFor));
        assert_eq!(underscore_twin(b"Content-Length"), None);
        assert_eq!(underscore_twin(b"my_field"), None);
        assert_eq!(underscore_twin(&[b'_'; 100]), None);
    }

    #[test]
    fn trailers_carry_no_trust() {
        for name in
            ["Host", "content-length", "Cookie", "X-Forwarded-Anything", "x_ssl_subject", "TE", "Proxy-X"]
        {
            assert!(!allowed_in_trailers(name.as_bytes()), "{name}");
        }
        for name in ["X-Check", "grpc-status", "Digest", "ETag", "x-forwarded"] {
            assert!(allowed_in_trailers(name.as_bytes()), "{name}");
        }
    }
}
