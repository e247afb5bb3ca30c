//! From the tree to the plan.
//!
//! Each directive's row names a function in here that reads its arguments into a draft. What others refer to by name
//! comes first (`Phase`), so that a file may be written in any order. A value that cannot be read is complained about
//! and left out; the plan is made all the same, so that the rest is looked at too, and thrown away in the end.

pub(crate) mod acl;
pub(crate) mod alphabet;
mod arguments;
pub(crate) mod backend;
pub(crate) mod bounds;
pub(crate) mod ciphers;
pub(crate) mod condition;
pub(crate) mod edit;
pub(crate) mod listener;
pub(crate) mod logging;
mod matching;
pub(crate) mod service;
pub(crate) mod session;
mod times;
pub(crate) mod tls;
pub(crate) mod token;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use plan::listener::RewriteLocation;
use plan::log::{Facility, LogFormat, Logging};
use plan::pattern::{Kind, Pattern};
use plan::process::{PidFile, Process};
use plan::{Acl, Backend, Balancer, Plan, Service, Token, Tolerance, Watched, limits};

use crate::Options;
use crate::check;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::directive::{Lower, Phase};
use crate::source::{self, Span};
use crate::syntax::{Parsed, Statement};

pub(crate) use arguments::BALANCERS;
use arguments::HeaderOptions;
pub(crate) use backend::BackendDraft;
pub(crate) use bounds::BoundsDraft;
pub(crate) use listener::ListenerDraft;
pub(crate) use service::ServiceDraft;
pub(crate) use session::SessionDraft;
pub(crate) use times::TimesDraft;

/// Most workers: more threads than any machine has cores are a slip.
pub(crate) const WORKERS_MAX: u64 = 1024;

/// What a listener and a service both have.
#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) forwarded_header: Option<String>,
    pub(crate) trusted: Option<Arc<Acl>>,
    pub(crate) rewrite_location: Option<RewriteLocation>,
    pub(crate) rewrite_destination: Option<bool>,
}

/// Values that hold for the whole file unless a block says otherwise.
pub(crate) struct Global {
    pub(crate) process: Process,
    pub(crate) facility: Facility,
    pub(crate) log_file: Option<PathBuf>,
    pub(crate) tag: String,
    pub(crate) log_format: usize,
    pub(crate) forwarded_header: String,
    pub(crate) headers: HeaderOptions,
    pub(crate) trusted: Option<Arc<Acl>>,
    pub(crate) times: TimesDraft,
    pub(crate) fails_max: Option<NonZeroU32>,
    pub(crate) alive: Duration,
    pub(crate) watch_interval: Duration,
    pub(crate) balancer: Balancer,
    pub(crate) bounds: BoundsDraft,
    pub(crate) token: Option<Token>,
}

/// Format 1, `regular`.
const LOG_FORMAT: usize = 1;
/// The same where somebody watches.
const LOG_FORMAT_WATCHED: usize = 2;

impl Default for Global {
    fn default() -> Self {
        Global {
            process: Process {
                user: None,
                group: None,
                root_jail: None,
                daemon: true,
                supervisor: true,
                pid_file: PidFile::Default,
                grace: limits::GRACE,
                grace_idle: limits::GRACE_IDLE,
                connections_max: None,
                memory_max: None,
                workers: None,
            },
            facility: Facility::Syslog(logging::DAEMON),
            log_file: None,
            tag: "pound".into(),
            log_format: LOG_FORMAT,
            forwarded_header: "X-Forwarded-For".into(),
            headers: HeaderOptions::default(),
            trusted: None,
            times: TimesDraft::default(),
            fails_max: limits::BACKEND_FAILS,
            alive: limits::ALIVE,
            watch_interval: limits::WATCH_INTERVAL,
            balancer: Balancer::Random,
            bounds: BoundsDraft::default(),
            token: None,
        }
    }
}

/// Everything that is known while the tree is read.
pub(crate) struct Lowering<'a> {
    pub(crate) diagnostics: &'a mut Diagnostics,
    options: &'a Options,
    directories: &'a [PathBuf],
    pub(crate) global: Global,
    /// `RegexType`, for what follows.
    pub(crate) regex_kind: Kind,
    /// `IgnoreCase`, for what follows.
    pub(crate) ignore_case: bool,
    /// `Tolerant` of the service that is being read.
    pub(crate) tolerance: Tolerance,
    acls: HashMap<Box<str>, (Arc<Acl>, Span)>,
    formats: Vec<LogFormat>,
    named_backends: HashMap<Box<str>, backend::Named>,
    /// Real files repeat their patterns a lot, and an expression takes its time to compile.
    patterns: HashMap<(Kind, bool, Box<str>), Pattern>,
    watched: Vec<Arc<dyn Watched>>,
    captures: bool,
    /// Where the templates with references to matches stand, by their origin.
    pub(crate) reference_places: HashMap<Box<str>, Span>,
    /// Where `%[remoteip 0]` stands.
    pub(crate) peer_addresses: Vec<Span>,
    backends: Vec<Arc<Backend>>,
    /// Where the address of each stands.
    backend_places: Vec<Span>,
    services: Vec<Arc<Service>>,
    /// Those that every listener tries, with the place of each.
    global_services: Vec<(Arc<Service>, Span)>,
    listeners: Vec<listener::Finished>,
    /// The directive that is being read, for complaints about its values.
    directive: &'static str,
    /// The content of `/etc/services` once it was needed.
    port_names: Option<String>,
}

/// Makes a plan from the tree of the text `source`.
pub(crate) fn lower(
    parsed: &Parsed,
    source: u32,
    options: &Options,
    diagnostics: &mut Diagnostics,
) -> Option<Plan> {
    let mut cx = Lowering {
        diagnostics,
        options,
        directories: &parsed.directories,
        global: Global {
            log_format: if options.watched { LOG_FORMAT_WATCHED } else { LOG_FORMAT },
            ..Global::default()
        },
        regex_kind: Kind::Posix,
        ignore_case: false,
        tolerance: Tolerance::default(),
        acls: HashMap::new(),
        formats: LogFormat::built_in(),
        named_backends: HashMap::new(),
        patterns: HashMap::new(),
        watched: Vec::new(),
        captures: false,
        reference_places: HashMap::new(),
        peer_addresses: Vec::new(),
        backends: Vec::new(),
        backend_places: Vec::new(),
        services: Vec::new(),
        global_services: Vec::new(),
        listeners: Vec::new(),
        directive: "",
        port_names: None,
    };
    for phase in [Phase::Names, Phase::Values, Phase::Backends, Phase::Routes] {
        for statement in &parsed.statements {
            match statement.row.lower {
                Lower::Global(own, lower) if own == phase && cx.enter(statement) => lower(&mut cx, statement),
                Lower::Bounds(lower) if phase == Phase::Values && cx.enter(statement) => {
                    let mut bounds = cx.global.bounds;
                    lower(&mut cx, &mut bounds, statement);
                    cx.global.bounds = bounds;
                }
                Lower::Times(lower) if phase == Phase::Values && cx.enter(statement) => {
                    let mut times = cx.global.times;
                    lower(&mut cx, &mut times, statement);
                    cx.global.times = times;
                }
                Lower::ServiceBlock if phase == Phase::Routes => service::lower_global(&mut cx, statement),
                _ => {}
            }
        }
    }
    check::addresses(&mut cx);
    check::peer_addresses(&mut cx);
    // A line that could not be read may be the one that makes sense of the whole.
    if !cx.diagnostics.has_errors() {
        check::unused_backends(&mut cx);
        check::services(&mut cx);
        check::circles(&mut cx);
        check::references(&mut cx);
        if cx.listeners.is_empty() {
            cx.warn_that_nothing_listens(source);
        }
    }
    Some(cx.finish())
}

impl Lowering<'_> {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Whether there are as many arguments as the row asks for, so that its function may look at them. What is
    /// complained about next belongs to this directive.
    pub(crate) fn enter(&mut self, statement: &Statement) -> bool {
        self.directive = statement.row.name;
        let (min, max) = statement.row.arguments_allowed();
        let bad = statement.arguments.iter().any(|word| word.bad);
        !bad && (min..=max).contains(&statement.arguments.len())
    }

    /// The place of a file that a directive names.
    pub(crate) fn path(&self, statement: &Statement, name: &str) -> PathBuf {
        self.directories.get(statement.directory).map_or(Path::new(""), PathBuf::as_path).join(name)
    }

    pub(crate) fn listeners(&self) -> &[listener::Finished] {
        &self.listeners
    }

    pub(crate) fn global_services(&self) -> &[(Arc<Service>, Span)] {
        &self.global_services
    }

    /// All back-ends, with the place of each one's address.
    pub(crate) fn placed_backends(&self) -> impl Iterator<Item = (&Backend, Span)> {
        self.backends.iter().map(AsRef::as_ref).zip(self.backend_places.iter().copied())
    }

    pub(crate) fn plan_services(&self) -> &[Arc<Service>] {
        &self.services
    }

    /// Names and places.
    pub(crate) fn unused_backends(&self) -> impl Iterator<Item = (String, Span)> {
        let unused = self.named_backends.iter().filter(|(_, named)| !named.is_used());
        unused.map(|(name, named)| (name.to_string(), named.span))
    }

    fn warn_that_nothing_listens(&mut self, source: u32) {
        let end = self.diagnostics.sources.text(source).trim_end().len() as u32;
        let span = Span { source, start: end, end };
        self.push(
            Diagnostic::warning(span, "nothing listens: there is no ListenHTTP and no ListenHTTPS")
                .help("add a block such as\nListenHTTP\n    Address 0.0.0.0\n    Port 8080\nEnd"),
        );
    }

    fn finish(self) -> Plan {
        let globals: Vec<Arc<Service>> =
            self.global_services.iter().map(|(service, _)| service.clone()).collect();
        let nobody = Acl::empty();
        let listeners = self.listeners.into_iter().map(|finished| {
            let mut listener = finished.listener;
            listener.services.extend(globals.iter().cloned());
            tls::ask_for_conditions(&mut listener);
            if !finished.trusts {
                listener.trusted = self.global.trusted.clone().unwrap_or_else(|| nobody.clone());
            }
            listener
        });
        Plan {
            listeners: listeners.collect(),
            process: Process { connections_max: self.global.bounds.connections_max, ..self.global.process },
            logging: Logging {
                facility: self.global.facility,
                file: self.global.log_file,
                tag: self.global.tag,
                formats: self.formats,
            },
            services: self.services,
            backends: self.backends,
            alive: self.global.alive,
            watch_interval: self.global.watch_interval,
            watched: self.watched,
            token: self.global.token,
            captures: self.captures,
        }
    }
}

/// Reads a file as text for a directive, and complains if that fails.
impl Lowering<'_> {
    pub(crate) fn read(
        &mut self,
        statement: &Statement,
        word: &crate::lex::Word,
        max: u64,
    ) -> Option<(PathBuf, Vec<u8>)> {
        let path = self.path(statement, &word.text);
        if self.options.no_files {
            self.push(Diagnostic::error(word.span, "files are not read here"));
            return None;
        }
        match source::read_bytes(&path, max) {
            Ok(bytes) => Some((path, bytes)),
            Err(error) => {
                let message = format!("cannot read {}: {}", path.display(), source::reason(&error));
                self.push(Diagnostic::error(word.span, message));
                None
            }
        }
    }

    /// Reads a list file and hands it to `parse`; each line that cannot be read is shown.
    fn read_list<T>(
        &mut self,
        statement: &Statement,
        word: &crate::lex::Word,
        parse: impl FnOnce(&str) -> Result<Vec<T>, Vec<(usize, String)>>,
    ) -> Option<(PathBuf, Vec<T>)> {
        let (path, bytes) = self.read(statement, word, source::TEXT_BYTES_MAX)?;
        let text = match plan::text::decode(bytes) {
            Ok(text) => text,
            Err(foreign) => {
                let message = format!("cannot read {}: {foreign}", path.display());
                self.push(Diagnostic::error(word.span, message));
                return None;
            }
        };
        match parse(&text) {
            Ok(values) => Some((path, values)),
            Err(lines) => {
                let list = self.diagnostics.sources.add(path.display().to_string(), text);
                for (line, sentence) in lines {
                    let span = self.diagnostics.sources.line_span(list, line);
                    self.push(Diagnostic::error(span, sentence).related(word.span, "the file is named here"));
                }
                None
            }
        }
    }
}
