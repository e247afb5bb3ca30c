//! TLS: our own thin layer over rustls, which keeps the state of each connection and does the cryptography.
//!
//! `files`, `pem` and `x509` read certificates, `source` says whether this process does that or a `keeper` of the right to,
//! `sites` keeps what a listener shows and finds the one for a name, `follow` reads it again when a file changes, `check`
//! tells what is wrong with files before anything runs, `ending` when they run out,
//! `clients` judges those of clients, `accept` makes a handshake with a client, `connect` one with a back-end, `stream`
//! moves bytes through rustls afterwards, `token` is where keys are that no file holds. Why there is no crate between
//! rustls and us is told in `docs/why/tls.md`. Nothing here decides what a request may do, and no key ever shows in
//! `Debug`.

mod accept;
mod check;
mod clients;
mod connect;
mod ending;
mod files;
mod follow;
mod handshakes;
mod keeper;
mod pem;
mod sessions;
mod sites;
mod source;
mod stream;
mod token;
mod x509;

pub(crate) use accept::{Arrival, Failure, accept};
pub use check::{Finding, check};
pub(crate) use connect::{Connector, reason};
pub(crate) use ending::News;
pub use files::TlsError;
pub(crate) use files::read_file;
pub(crate) use follow::{Follower, read_certificates_again, read_lists_again};
pub(crate) use handshakes::Handshakes;
pub use keeper::keep;
pub(crate) use keeper::{End, Line};
pub(crate) use sites::{Facts, Server, version_names};
pub use source::Names;
pub(crate) use source::Source;
pub(crate) use stream::{Scratch, TlsStream};
pub(crate) use token::Token;
