//! What can be wrong with an HTTP/1 message: one variant per fact, each with a stable code.
//!
//! The codes appear in logs and documentation and never change meaning; [`ALL`] is the table the reference is
//! generated from. `status` is the answer to a client who sent the message. The same fact in an answer from a
//! backend always becomes 502, which is for the caller to say: this crate does not know who the peer is.

use std::fmt;

use crate::field::Known;

/// One row of the generated error reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Stable code, as logged: `E-` and words.
    pub code: &'static str,
    /// Status sent to a client that made this error.
    pub status: u16,
    /// The section of the RFC that the message breaks, or the rule of ours.
    pub section: &'static str,
    /// One sentence for operators.
    pub sentence: &'static str,
}

macro_rules! errors {
    ($(#[$meta:meta])* $name:ident, $table:ident { $($variant:ident $code:literal $status:literal $section:literal $sentence:literal)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = $sentence] #[doc = ""] #[doc = concat!("`", $code, "`, ", stringify!($status), "; ", $section, ".")] $variant,)*
        }

        /// The rows of this enum, in the order of its variants.
        const $table: &[Row] = &[$(Row { code: $code, status: $status, section: $section, sentence: $sentence },)*];

        impl $name {
            /// Every variant, in the order of the table.
            pub const VARIANTS: &'static [$name] = &[$($name::$variant,)*];

            /// The row of the reference that describes this error.
            #[must_use]
            pub fn row(&self) -> &'static Row {
                // The table has one row per variant, in order; the macro writes both.
                &$table[*self as usize]
            }

            /// Status to answer a client with.
            #[must_use]
            pub fn status(&self) -> u16 {
                self.row().status
            }

            /// Stable code for logs and documentation.
            #[must_use]
            pub fn code(&self) -> &'static str {
                self.row().code
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.row().sentence)
            }
        }

        impl std::error::Error for $name {}
    };
}

errors! {
    /// A head that is not HTTP/1, or says something a proxy must not pass on.
    ParseError, PARSE {
        BareLf "E-BARE-LF" 400 "RFC 9112 2.2" "a line ends with LF alone"
        BareCr "E-BARE-CR" 400 "RFC 9112 2.2" "a CR stands where no line ends"
        Nul "E-NUL" 400 "RFC 9110 5.5" "the head holds a NUL byte"
        ControlByte "E-CTL" 400 "RFC 9110 5.5" "the head holds a control byte"
        EmptyLineFirst "E-EMPTY-LINE" 400 "RFC 9112 2.2" "more than one empty line, or a misplaced one, stands before the start line"
        HeadTooLong "E-HEAD-LONG" 431 "RFC 6585 5" "the head is longer than allowed"
        LineTooLong "E-LINE-LONG" 431 "RFC 6585 5" "a status or field line is longer than allowed"
        TooManyFields "E-FIELDS-MANY" 431 "RFC 6585 5" "the head has more fields than allowed"
        TargetTooLong "E-TARGET-LONG" 414 "RFC 9112 3" "the request target is longer than allowed"
        MethodTooLong "E-METHOD-LONG" 501 "RFC 9112 3" "the method is longer than any known one"
        RequestLineMalformed "E-REQUEST-LINE" 400 "RFC 9112 3" "the request line is not method, space, target, space, version"
        MethodMalformed "E-METHOD" 400 "RFC 9110 9.1" "the method is not a token"
        VersionMalformed "E-VERSION" 400 "RFC 9112 2.3" "the protocol version is not written as HTTP/1.0 or HTTP/1.1"
        VersionUnsupported "E-VERSION-OTHER" 505 "RFC 9110 15.6.6" "the protocol version is neither HTTP/1.0 nor HTTP/1.1"
        StatusLineMalformed "E-STATUS-LINE" 400 "RFC 9112 4" "the status line is not version, space, three digits, space, reason"
        SpaceBeforeFields "E-SPACE-FIRST" 400 "RFC 9112 2.2" "white space stands between the start line and the first field"
        ObsoleteFold "E-FOLD" 400 "RFC 9112 5.2" "a field value is folded over several lines"
        NoColon "E-NO-COLON" 400 "RFC 9112 5" "a field line has no colon"
        NameEmpty "E-NAME-EMPTY" 400 "RFC 9110 5.1" "a field has an empty name"
        NameMalformed "E-NAME" 400 "RFC 9110 5.1" "a field name is not a token"
        SpaceBeforeColon "E-SPACE-COLON" 400 "RFC 9112 5.1" "white space stands between a field name and its colon"
        Incomplete "E-INCOMPLETE" 400 "RFC 9112 8" "the bytes are not exactly one complete head"
        TargetCharacter "E-TARGET-CHAR" 400 "RFC 3986 3.3" "the target holds a blank or control byte"
        TargetForm "E-TARGET-FORM" 400 "RFC 9112 3.2" "the target has none of the forms its method allows"
        Fragment "E-FRAGMENT" 400 "RFC 9112 3.2" "the target has a fragment"
        PercentMalformed "E-PERCENT" 400 "RFC 3986 2.1" "an escape is cut short by the end of the path, or one of the form %uXXXX hides a character below U+0100"
        PercentNul "E-PERCENT-NUL" 400 "RFC 3986 7.3" "the target holds an encoded NUL"
        DotSegment "E-DOT-SEGMENT" 400 "RFC 3986 6.2.2.3" "the path has a segment that is .. or an encoded dot"
        SchemeUnsupported "E-SCHEME" 400 "RFC 9110 4.2" "the absolute target is neither http nor https"
        Userinfo "E-USERINFO" 400 "RFC 9110 4.2.4" "the target or Host holds user information"
        ConnectUnsupported "E-CONNECT" 501 "RFC 9110 9.3.6" "CONNECT is refused: this is a gateway and opens no tunnels for clients"
        TraceWithBody "E-TRACE-BODY" 400 "RFC 9110 9.3.8" "a TRACE request has a body"
        NoHost "E-HOST-NONE" 400 "RFC 9112 3.2" "an HTTP/1.1 request has no Host"
        TwoHosts "E-HOST-TWICE" 400 "RFC 9112 3.2" "the request has more than one Host"
        HostMalformed "E-HOST" 400 "RFC 9112 3.2" "Host is not a host and an optional port"
        HostTooLong "E-HOST-LONG" 400 "RFC 1035 2.3.4" "the host is longer than a domain name can be"
        PortMalformed "E-PORT" 400 "RFC 3986 3.2.3" "the port is not a number up to 65535"
        HostDisagrees "E-HOST-TARGET" 400 "RFC 9112 3.2.2" "Host and the authority of the absolute target name different hosts"
        UnknownExpectation "E-EXPECT" 417 "RFC 9110 10.1.1" "the request expects something other than 100-continue"
        ConnectionNamesCritical "E-CONNECTION-NAME" 400 "RFC 9110 7.6.1" "Connection names a field that is meant for the final recipient, such as Content-Length or Authorization"
    }
}

errors! {
    /// A head whose body length is ambiguous or not to be trusted (RFC 9112 section 6). After any of these no further
    /// byte of the connection may be parsed.
    FramingError, FRAMING {
        TransferEncodingWithLength "E-TE-CL" 400 "RFC 9112 6.1" "both Transfer-Encoding and Content-Length are present"
        TransferEncodingTwice "E-TE-TWICE" 400 "RFC 9112 6.1" "Transfer-Encoding is present more than once"
        TransferEncodingInHttp10 "E-TE-10" 400 "RFC 9112 6.1" "an HTTP/1.0 message has Transfer-Encoding"
        TransferEncodingMalformed "E-TE" 400 "RFC 9112 6.1" "Transfer-Encoding is not a list of codings"
        ChunkedNotFinal "E-TE-NOT-FINAL" 400 "RFC 9112 6.3" "the last transfer coding is not chunked, or chunked is applied twice"
        TransferCodingUnknown "E-TE-UNKNOWN" 501 "RFC 9112 6.1" "a transfer coding other than chunked is used"
        LengthTwice "E-CL-TWICE" 400 "RFC 9112 6.3" "Content-Length is present more than once"
        LengthMalformed "E-CL" 400 "RFC 9110 8.6" "Content-Length is not one decimal number"
        LengthTooLarge "E-CL-LARGE" 400 "RFC 9110 8.6" "Content-Length is larger than 2^63-1"
    }
}

errors! {
    /// A body that does not keep to its framing. The connection is lost with it.
    BodyError, BODY {
        ChunkSizeMalformed "E-CHUNK-SIZE" 400 "RFC 9112 7.1" "a chunk size is not plain hexadecimal digits"
        ChunkSizeTooLarge "E-CHUNK-LARGE" 400 "RFC 9112 7.1" "a chunk size has too many digits or is larger than 2^63-1"
        ChunkLineTooLong "E-CHUNK-LINE-LONG" 400 "RFC 9112 7.1.1" "a chunk-size line is longer than allowed"
        ChunkExtensionMalformed "E-CHUNK-EXT" 400 "RFC 9112 7.1.1" "a chunk extension is malformed"
        ChunkExtensionsTooLong "E-CHUNK-EXT-LONG" 400 "RFC 9112 7.1.1" "chunk extensions outweigh the body"
        ChunkLineBareLf "E-CHUNK-LF" 400 "RFC 9112 7.1" "a chunk-size line ends with LF alone"
        ChunkLineBareCr "E-CHUNK-CR" 400 "RFC 9112 7.1" "a chunk-size line holds a CR that does not end it"
        ChunkEndMalformed "E-CHUNK-END" 400 "RFC 9112 7.1" "chunk data is not followed by CRLF"
        TrailerMalformed "E-TRAILER" 400 "RFC 9112 7.1.2" "a trailer line is malformed"
        TrailersTooLong "E-TRAILER-LONG" 431 "RFC 6585 5" "the trailer section is longer than allowed"
        TrailersTooMany "E-TRAILER-MANY" 431 "RFC 6585 5" "the trailer section has more fields than allowed"
        Truncated "E-TRUNCATED" 400 "RFC 9112 8" "the peer ended before the end of the body"
        Short "E-SHORT" 400 "RFC 9112 8" "the body written is shorter than announced"
    }
}

errors! {
    /// An edit of a head that would not be valid HTTP. These are never the peer's fault: a rewrite rule, a script or we
    /// ourselves asked for bytes that cannot stand where they were to be put.
    EditError, EDIT {
        NameInvalid "E-EDIT-NAME" 500 "RFC 9110 5.1" "a field to be set has a name that is not a token"
        ValueInvalid "E-EDIT-VALUE" 500 "RFC 9110 5.5" "a field to be set has a control byte in its value"
        TargetInvalid "E-EDIT-TARGET" 500 "RFC 9112 3.2" "a target to be set is empty or holds a space or control byte"
        StatusInvalid "E-EDIT-STATUS" 500 "RFC 9110 15" "a status to be set is not between 100 and 999"
        ReasonInvalid "E-EDIT-REASON" 500 "RFC 9112 4" "a reason to be set holds a control byte"
        HeadFull "E-EDIT-FULL" 500 "limit of edited heads" "a head grew past the bound for edits"
    }
}

impl ParseError {
    /// The fields of a well-formed head that this is about; their values say why. User information is told of without its
    /// value: it is a password.
    #[must_use]
    pub fn fields(self) -> &'static [Known] {
        match self {
            ParseError::TwoHosts
            | ParseError::HostMalformed
            | ParseError::HostTooLong
            | ParseError::PortMalformed
            | ParseError::HostDisagrees => &[Known::Host],
            ParseError::UnknownExpectation => &[Known::Expect],
            ParseError::ConnectionNamesCritical => &[Known::Connection],
            ParseError::TraceWithBody => &[Known::TransferEncoding, Known::ContentLength],
            _ => &[],
        }
    }
}

impl FramingError {
    /// The fields that this is about.
    #[must_use]
    pub fn fields(self) -> &'static [Known] {
        match self {
            FramingError::TransferEncodingWithLength => &[Known::TransferEncoding, Known::ContentLength],
            FramingError::TransferEncodingTwice
            | FramingError::TransferEncodingInHttp10
            | FramingError::TransferEncodingMalformed
            | FramingError::ChunkedNotFinal
            | FramingError::TransferCodingUnknown => &[Known::TransferEncoding],
            FramingError::LengthTwice | FramingError::LengthMalformed | FramingError::LengthTooLarge => {
                &[Known::ContentLength]
            }
        }
    }
}

/// Every error of the codec, for the generated reference.
pub const ALL: &[&[Row]] = &[PARSE, FRAMING, BODY, EDIT];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_shaped() {
        let mut seen = HashSet::new();
        for row in ALL.iter().copied().flatten() {
            assert!(seen.insert(row.code), "{} twice", row.code);
            assert!(row.code.starts_with("E-"), "{}", row.code);
            assert!(row.code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-'));
            assert!((400..=599).contains(&row.status), "{}", row.code);
            assert!(!row.sentence.ends_with('.') && !row.sentence.is_empty(), "{}", row.code);
        }
    }

    #[test]
    fn rows_follow_variants() {
        assert_eq!(ParseError::TwoHosts.code(), "E-HOST-TWICE");
        assert_eq!(ParseError::ConnectionNamesCritical.code(), "E-CONNECTION-NAME");
        assert_eq!(FramingError::TransferEncodingWithLength.status(), 400);
        assert_eq!(FramingError::LengthTooLarge.code(), "E-CL-LARGE");
        assert_eq!(BodyError::Short.code(), "E-SHORT");
        assert_eq!(EditError::HeadFull.status(), 500);
        assert_eq!(ParseError::VARIANTS.len(), PARSE.len());
    }
}
