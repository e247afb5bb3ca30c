//! The Plan: what *should* run.
//!
//! Everything a configuration file can ask for, as types. A `Plan` is immutable and complete: patterns are compiled,
//! pages are read, numbers have units, names are resolved to shared values. There are no strings left to look up and
//! nothing to validate: a value of a type in here can only be made through a constructor that refuses nonsense, so
//! whoever holds a `Plan` may run it. `config` makes it from text; `engine` runs it.
//!
//! This crate never does I/O, never reads a clock and knows no configuration syntax.
#![forbid(unsafe_code)]

pub mod acl;
pub mod alphabet;
pub mod backend;
pub mod bounds;
pub mod condition;
pub mod limits;
pub mod listener;
pub mod log;
pub mod page;
pub mod pattern;
pub mod process;
pub mod rewrite;
pub mod service;
pub mod session;
pub mod template;
pub mod text;
pub mod times;
pub mod tls;
pub mod token;
pub mod watched;

use std::sync::Arc;
use std::time::Duration;

pub use acl::Acl;
pub use alphabet::{Alphabets, CharSet};
pub use backend::{Backend, BackendAddress, BackendSet, Balancer, Group, Member, Tolerance};
pub use bounds::{Bounds, MinRate};
pub use condition::{Condition, Match};
pub use listener::{ListenAddress, Listener, TlsHeaders};
pub use log::{LogFormat, Logging};
pub use page::Page;
pub use pattern::Pattern;
pub use process::Process;
pub use service::{Service, Target};
pub use session::{Session, SessionKey};
pub use template::Template;
pub use times::{Silence, Times};
pub use tls::ServerTls;
pub use token::Token;
pub use watched::Watched;

/// One whole configuration, ready to run.
#[derive(Debug)]
pub struct Plan {
    /// What concerns the process as a whole: user, jail, pid file, workers.
    pub process: Process,
    /// Where and in which words events and requests are logged.
    pub logging: Logging,
    /// In file order. Each carries the services it tries, in the order of the file, the global ones last.
    pub listeners: Vec<Listener>,
    /// Every service once, in file order; `Service::id` is the index into this list.
    pub services: Vec<Arc<Service>>,
    /// Every back-end once, in file order; `Backend::id` is the index into this list.
    pub backends: Vec<Arc<Backend>>,
    /// Seconds between two probes of a dead back-end (`Alive`).
    pub alive: Duration,
    /// How often watched files are looked at (`WatcherTTL`).
    pub watch_interval: Duration,
    /// Files that are followed while we run (`-filewatch`).
    pub watched: Vec<Arc<dyn Watched>>,
    /// Where private keys are that no file holds (`SSLEngine`).
    pub token: Option<Token>,
    /// True if any template refers to a capture (`$1`): only then are captures kept while matching.
    pub captures: bool,
}
