//! Services: conditions, and what answers when they hold.

use std::path::PathBuf;
use std::sync::Arc;

use crate::acl::Acl;
use crate::backend::BackendSet;
use crate::condition::Condition;
use crate::listener::RewriteLocation;
use crate::page::Page;
use crate::rewrite::Rewrites;
use crate::template::Template;

/// One `Service`.
#[derive(Debug)]
pub struct Service {
    /// Index into `Plan::services`.
    pub id: usize,
    /// `Service "name"`.
    pub name: Option<String>,
    /// Its place in the file for logs, such as `listener 1, service 2`.
    pub place: String,
    /// Where in which file it stands, as C Pound's logs have it: `pound.cfg:19.2-22.4`.
    pub locus: String,
    /// Not tried at all (`Disabled`).
    pub disabled: bool,
    /// Only for clients that have shown a certificate which was verified (`RequireClientCert`).
    pub client_certificate: bool,
    /// All of this must hold.
    pub condition: Condition,
    /// Changes to requests and answers.
    pub rewrites: Rewrites,
    /// Replaces the listener's `ForwardedHeader`.
    pub forwarded_header: Option<String>,
    /// Replaces the listener's `TrustedIP`.
    pub trusted: Option<Arc<Acl>>,
    /// Replaces the listener's `RewriteLocation`.
    pub rewrite_location: Option<RewriteLocation>,
    /// Replaces the listener's `RewriteDestination`.
    pub rewrite_destination: Option<bool>,
    /// Answer classes that are not logged (`LogSuppress`).
    pub log_suppress: LogSuppress,
    /// What answers.
    pub target: Target,
    /// Where in which file the line of a target stands that is no back-end; empty for others.
    pub target_locus: String,
}

/// What answers for a service.
#[derive(Debug)]
pub enum Target {
    /// Servers behind us.
    Backends(BackendSet),
    /// A redirect made here.
    Redirect(Redirect),
    /// An error made here (`Error`).
    Error {
        /// Status code.
        status: u16,
        /// The page, if one was given; else the listener's for that code.
        page: Option<Page>,
    },
    /// Files below this directory (`SendFile`).
    Files(PathBuf),
    /// 200 with an empty body (`Success`).
    Success,
    /// The service has nothing that could answer: 503.
    Nothing,
}

/// `Redirect [code] "url"`.
#[derive(Debug)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// Where to.
    pub url: Template,
    /// The same as the file has it, for logs.
    pub text: String,
    /// The request's path and query are appended: the URL has neither a path nor anything to expand.
    pub append_target: bool,
}

/// Classes of answers whose log line is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogSuppress(pub [bool; 5]);

impl LogSuppress {
    /// Whether an answer of this status is not logged.
    pub fn covers(self, status: u16) -> bool {
        matches!(status / 100, class @ 1..=5 if self.0[usize::from(class) - 1])
    }
}
