//! What is spoken with clients and back-ends, by name, for people.

/// The versions of HTTP.
pub fn http_versions() -> impl Iterator<Item = &'static str> {
    wire::Version::ALL.into_iter().map(wire::Version::as_str)
}

/// The versions of TLS.
pub fn tls_versions() -> impl Iterator<Item = &'static str> {
    crate::tls::version_names()
}
