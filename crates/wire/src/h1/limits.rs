//! Every maximum of the codec, each with its reason.
//!
//! The numbers are defaults; configuration may move them. None may be infinite: a peer that is not
//! bounded by one of these would be bounded only by memory. All sizes are in bytes.

/// The bounds a message is parsed under.
///
/// Plain numbers and `Copy`, so that each listener can carry its own set without sharing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Whole head: start line, field lines and the closing empty line.
    ///
    /// 64 KiB holds what large single-sign-on cookies and tokens need and still lets ten thousand half-sent
    /// heads fit in less than a gigabyte.
    pub head_max: usize,
    /// One field line without its CRLF, name included.
    ///
    /// 32 KiB: browsers stop at about 4 KiB a cookie, but Kerberos and client-certificate fields reach 16 KiB
    /// and more.
    pub line_max: usize,
    /// The request target.
    ///
    /// RFC 9112 section 3 wants request lines of 8000 octets supported; 16 KiB doubles that, since redirects of
    /// identity providers put whole tokens into the query.
    pub target_max: usize,
    /// Number of field lines in a head.
    ///
    /// 128: ordinary requests carry 10 to 30; what matters is that many tiny fields cost more than their bytes.
    pub fields_max: usize,
    /// One chunk-size line with its extensions, without its CRLF.
    ///
    /// 4 KiB: sizes need 16 digits, and the longest extensions in use (signatures) are under 200 bytes.
    pub chunk_line_max: usize,
    /// Bytes of chunk extension that may run ahead of the body bytes received.
    ///
    /// Extensions are dropped, so a body made of them is work without a result. Each body byte received pays for
    /// one extension byte; 16 KiB is the credit before that, so honest per-chunk signatures never get near it.
    pub chunk_ext_total_max: usize,
    /// Whole trailer section of a chunked body.
    ///
    /// 8 KiB: trailers hold a digest or a status, and they are buffered until their end.
    pub trailer_max: usize,
    /// Number of trailer lines.
    ///
    /// 32: gRPC, the largest user, sends three.
    pub trailer_fields_max: usize,
    /// Number of interim (1xx) answers before the final one.
    ///
    /// 16: a `100`, a few `103`; a backend that sends more is not answering. Counted by the caller, since the
    /// codec sees one head at a time.
    pub interim_max: usize,
    /// What of a back-end's answers is put right instead of being refused. Not a bound, but parsed under like these. It has
    /// no effect on requests.
    pub tolerance: Tolerance,
}

/// Breaches of HTTP/1 in answers that are put right where an operator says so, for a back-end that they know: there is one
/// thing that each of them can mean. Nothing of it is ever done for requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tolerance {
    /// Lines of a head that end with LF alone (RFC 9112 section 2.2).
    pub bare_lf: bool,
    /// Fields that are folded over several lines; a space takes the place of each fold (RFC 9112 section 5.2).
    pub folds: bool,
    /// Blanks before the colon of Content-Length and Transfer-Encoding (RFC 9112 section 5.1). Before that of other fields
    /// they are always removed from answers.
    pub colon_blanks: bool,
    /// Blanks behind a chunk size.
    pub chunk_blanks: bool,
    /// Several Content-Length, or a list in one, that are all the same (RFC 9112 section 6.3).
    pub equal_lengths: bool,
    /// The transfer coding `identity` of RFC 2616, which means none.
    pub identity: bool,
}

impl Tolerance {
    /// All of them.
    pub const ALL: Tolerance = Tolerance {
        bare_lf: true,
        folds: true,
        colon_blanks: true,
        chunk_blanks: true,
        equal_lengths: true,
        identity: true,
    };

    /// Whether some of it is about heads.
    #[must_use]
    pub fn is_about_heads(self) -> bool {
        self.bare_lf || self.folds || self.colon_blanks || self.equal_lengths || self.identity
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head_max: 64 * 1024,
            line_max: 32 * 1024,
            target_max: 16 * 1024,
            fields_max: 128,
            chunk_line_max: 4 * 1024,
            chunk_ext_total_max: 16 * 1024,
            trailer_max: 8 * 1024,
            trailer_fields_max: 32,
            interim_max: 16,
            tolerance: Tolerance::default(),
        }
    }
}

/// Longest method name. The longest registered one (`UPDATEREDIRECTREF`) has 17 bytes; RFC 9112 section 3 asks
/// for 501 when a method is longer than any that is implemented.
pub const METHOD_MAX: usize = 32;

/// Most digits of a chunk size: sixteen hexadecimal digits are 64 bits. Leading zeros are legal (`1*HEXDIG`)
/// but count, since nothing else bounds them.
pub const CHUNK_DIGITS_MAX: usize = 16;

/// Size a head's buffer may reach by edits (rewriting, added fields), in bytes. Offsets are 32 bits; a head this
/// large is a rewriting loop, not a request.
pub const EDITED_HEAD_MAX: usize = 4 * 1024 * 1024;

/// Longest `host` of an authority: a DNS name has at most 255 octets on the wire, 253 in text and one more for
/// the closing dot.
pub const HOST_MAX: usize = 254;
