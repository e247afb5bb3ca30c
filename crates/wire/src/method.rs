//! Request methods: every registered one, and the groups Pound's `xHTTP` opens.
//!
//! Methods are case-sensitive tokens (RFC 9110 section 9.1): `get` is not `GET`. What is not in the table is
//! [`Method::Other`]; whether that is served is the listener's decision, not the codec's.

macro_rules! methods {
    ($($variant:ident $text:literal $group:literal)*) => {
        /// A request method by name.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum Method {
            $(#[doc = concat!("`", $text, "`, group ", stringify!($group), ".")] $variant,)*
            /// A valid token that is no known method.
            #[default]
            Other,
        }

        impl Method {
            /// Every known method.
            pub const KNOWN: &'static [Method] = &[$(Method::$variant,)*];

            /// The method as it is written on the wire; `None` for [`Method::Other`], whose text is in the head.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Method::$variant => Some($text),)*
                    Method::Other => None,
                }
            }

            /// The smallest `xHTTP` level that allows the method: 0 to 3, `None` for unknown methods.
            #[must_use]
            pub fn group(self) -> Option<u8> {
                match self {
                    $(Method::$variant => Some($group),)*
                    Method::Other => None,
                }
            }

            fn search(name: &[u8]) -> Method {
                $(if name == $text.as_bytes() { return Method::$variant; })*
                Method::Other
            }
        }
    };
}

// Groups 0 to 3 are Pound's. Pound's table knows fewer methods than the IANA registry; the registered rest is put
// where its relatives are: DeltaV, access control, binding and calendar methods with WebDAV (2). RPC_IN_DATA and
// RPC_OUT_DATA were level 4 of Pound 2, a level that Pound 4 no longer has, and M-SEARCH belongs to NOTIFY's family.
methods! {
    Get "GET" 0
    Post "POST" 0
    Head "HEAD" 0
    Put "PUT" 1
    Patch "PATCH" 1
    Delete "DELETE" 1
    Query "QUERY" 1
    Options "OPTIONS" 2
    Trace "TRACE" 2
    Lock "LOCK" 2
    Unlock "UNLOCK" 2
    Propfind "PROPFIND" 2
    Proppatch "PROPPATCH" 2
    Search "SEARCH" 2
    Mkcol "MKCOL" 2
    Move "MOVE" 2
    Copy "COPY" 2
    Mkactivity "MKACTIVITY" 2
    Checkout "CHECKOUT" 2
    Merge "MERGE" 2
    Report "REPORT" 2
    Acl "ACL" 2
    BaselineControl "BASELINE-CONTROL" 2
    Bind "BIND" 2
    Checkin "CHECKIN" 2
    Label "LABEL" 2
    Link "LINK" 2
    Mkcalendar "MKCALENDAR" 2
    Mkredirectref "MKREDIRECTREF" 2
    Mkworkspace "MKWORKSPACE" 2
    Orderpatch "ORDERPATCH" 2
    Rebind "REBIND" 2
    Unbind "UNBIND" 2
    Uncheckout "UNCHECKOUT" 2
    Unlink "UNLINK" 2
    Update "UPDATE" 2
    Updateredirectref "UPDATEREDIRECTREF" 2
    VersionControl "VERSION-CONTROL" 2
    Subscribe "SUBSCRIBE" 3
    Unsubscribe "UNSUBSCRIBE" 3
    Notify "NOTIFY" 3
    Bpropfind "BPROPFIND" 3
    Bproppatch "BPROPPATCH" 3
    Poll "POLL" 3
    Bmove "BMOVE" 3
    Bcopy "BCOPY" 3
    Bdelete "BDELETE" 3
    Connect "CONNECT" 3
    RpcInData "RPC_IN_DATA" 3
    RpcOutData "RPC_OUT_DATA" 3
    MSearch "M-SEARCH" 3
}

impl Method {
    /// Looks a method up by its exact bytes.
    #[must_use]
    pub fn lookup(name: &[u8]) -> Method {
        // The first three are nearly all traffic; the rest is a linear scan of short comparisons.
        match name {
            b"GET" => Method::Get,
            b"POST" => Method::Post,
            b"HEAD" => Method::Head,
            _ => Method::search(name),
        }
    }

    /// Whether repeating the request has the effect of sending it once (RFC 9110 section 9.2.2), so that it may be
    /// retried when the fate of the first attempt is unknown. Methods outside RFC 9110 are only listed where their own
    /// RFC says so.
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        use Method::*;
        matches!(self, Get | Head | Options | Trace | Put | Delete | Query | Propfind | Report | Search)
    }

    /// Whether the method is read-only by definition (RFC 9110 section 9.2.1).
    #[must_use]
    pub fn is_safe(self) -> bool {
        use Method::*;
        matches!(self, Get | Head | Options | Trace | Query | Propfind | Report | Search)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_method_is_found_by_its_name() {
        for &method in Method::KNOWN {
            let name = method.name().expect("known");
            assert_eq!(Method::lookup(name.as_bytes()), method);
            assert!(name.len() <= crate::h1::limits::METHOD_MAX);
            assert!(method.group().expect("known") <= 3);
        }
    }

    #[test]
    fn case_and_affixes_make_another_method() {
        for name in [&b"get"[..], b"GETX", b"GE", b"", b"Post", b"TRACK"] {
            assert_eq!(Method::lookup(name), Method::Other, "{name:?}");
        }
    }

    #[test]
    fn safe_methods_are_idempotent() {
        for &method in Method::KNOWN {
            assert!(!method.is_safe() || method.is_idempotent(), "{method:?}");
        }
        assert!(!Method::Post.is_idempotent() && !Method::Other.is_idempotent());
    }
}
