//! A plan in words: one line for each thing, values that are not the default beside it.

use std::fmt::{self, Display, Write as _};
use std::num::NonZeroU32;
use std::time::Duration;

use plan::condition::{Condition, Match};
use plan::limits;
use plan::listener::{MethodLevel, RewriteLocation};
use plan::log::{Facility, Style};
use plan::process::PidFile;
use plan::rewrite::{FieldEdit, RequestEdit, ResponseEdit, Step};
use plan::service::LogSuppress;
use plan::tls::{CheckHost, Demand, Policy, Verify};
use plan::token::Pin;
use plan::{
    BackendSet, Balancer, Bounds, Group, Listener, MinRate, Page, Plan, Service, SessionKey, Target, Times,
    TlsHeaders, Tolerance,
};

/// What a plan says, for a person to read and for tests to compare.
pub fn dump(plan: &Plan) -> String {
    let mut out = Out { text: String::new(), depth: 0 };
    out.process(plan);
    plan.listeners.iter().for_each(|listener| out.listener(plan, listener));
    plan.services.iter().for_each(|service| out.service(service));
    for backend in &plan.backends {
        let mut line = format!("backend {} {}", backend.id, backend.address);
        name(&mut line, backend.name.as_deref());
        times(&mut line, &backend.times);
        if backend.fails_max != limits::BACKEND_FAILS {
            let _ = write!(line, " fails={}", backend.fails_max.map_or(0, NonZeroU32::get));
        }
        if backend.tolerance != Tolerance::default() {
            value(&mut line, "tolerant", Some(backend.tolerance));
        }
        if backend.disabled {
            line.push_str(" disabled");
        }
        if let Some(tls) = &backend.tls {
            line.push_str(" tls");
            value(&mut line, "as", tls.server_name.as_ref());
            value(&mut line, "shows", tls.certificate.as_ref().map(|file| file.path.display()));
            policy(&mut line, &tls.policy);
            match &tls.verify {
                Verify::No => line.push_str(" unverified"),
                Verify::Signed(None) => {}
                Verify::Signed(Some(file)) => value(&mut line, "believes", Some(file.path.display())),
                Verify::Pinned(digest) => {
                    value(&mut line, "pinned", Some(format!("{:02x}{:02x}…", digest[0], digest[1])));
                }
            }
        }
        out.line(&line);
    }
    out.text
}

/// Those that are not the default.
fn times(line: &mut String, times: &Times) {
    time(line, "timeout", times.answer.time, limits::BACKEND_TIMEOUT);
    time(line, "stream", times.stream.time, limits::STREAM_TIMEOUT);
    time(line, "connect", times.connect, times.answer.time);
    time(line, "tunnel", times.tunnel, limits::TUNNEL_TIMEOUT);
}

/// Those that are not the default.
fn bounds(line: &mut String, bounds: &Bounds) {
    let standard = Bounds::default();
    let head = limits::HEAD_BYTES.max(2 * bounds.line_max);
    for (name, given, default) in [
        ("line", bounds.line_max, standard.line_max),
        ("head", bounds.head_max, head),
        ("fields", bounds.fields_max, standard.fields_max),
        ("chunk-line", bounds.chunk_line_max, standard.chunk_line_max),
        ("chunk-ext", bounds.chunk_extensions_max, standard.chunk_extensions_max),
        ("trailer", bounds.trailer_max, standard.trailer_max),
        ("trailer-fields", bounds.trailer_fields_max, standard.trailer_fields_max),
        ("interim", bounds.interim_max, standard.interim_max),
    ] {
        value(line, name, (given != default).then_some(given));
    }
    value(line, "connections", bounds.connections_max);
    value(line, "requests", (bounds.requests_max != standard.requests_max).then_some(bounds.requests_max));
    match bounds.rate_min {
        rate if rate == standard.rate_min => {}
        MinRate { bytes: None, .. } => line.push_str(" rate=off"),
        MinRate { bytes: Some(bytes), window, spare } => {
            let _ = write!(line, " rate={bytes}/{}s", window.as_secs_f64());
            value(line, "slow", (spare > 0).then_some(spare));
        }
    }
}

/// What is spoken, where that is not all there is.
fn policy(line: &mut String, policy: &Policy) {
    if policy.suites != Policy::default().suites {
        let names: Vec<&str> = policy.suites.iter().map(|suite| suite.name()).collect();
        value(line, "ciphers", Some(names.join(":")));
    }
    if !policy.our_order {
        line.push_str(" client-order");
    }
}

struct Out {
    text: String,
    depth: usize,
}

impl Out {
    fn line(&mut self, line: &str) {
        self.text.push_str(&"  ".repeat(self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn inside(&mut self, write: impl FnOnce(&mut Self)) {
        self.depth += 1;
        write(self);
        self.depth -= 1;
    }

    fn process(&mut self, plan: &Plan) {
        let process = &plan.process;
        let mut line = String::from("process");
        value(&mut line, "user", process.user.as_ref());
        value(&mut line, "group", process.group.as_ref());
        value(&mut line, "jail", process.root_jail.as_ref().map(|path| path.display()));
        match &process.pid_file {
            PidFile::Default => {}
            PidFile::None => line.push_str(" pid=-"),
            PidFile::Path(path) => value(&mut line, "pid", Some(path.display())),
        }
        if !process.daemon {
            line.push_str(" foreground");
        }
        if !process.supervisor {
            line.push_str(" unsupervised");
        }
        value(&mut line, "workers", process.workers);
        value(&mut line, "connections", process.connections_max);
        value(&mut line, "memory", process.memory_max);
        time(&mut line, "grace", process.grace, limits::GRACE);
        time(&mut line, "grace-idle", process.grace_idle, limits::GRACE_IDLE);
        time(&mut line, "alive", plan.alive, limits::ALIVE);
        time(&mut line, "watch", plan.watch_interval, limits::WATCH_INTERVAL);
        if plan.captures {
            line.push_str(" captures");
        }
        if !plan.watched.is_empty() {
            value(&mut line, "watched", Some(plan.watched.len()));
        }
        self.line(&line);
        if let Some(token) = &plan.token {
            let mut line = format!("keys {token}");
            value(&mut line, "object", token.object.as_ref());
            value(&mut line, "id", token.id.as_ref().map(|id| format!("{id:02x?}")));
            match &token.pin {
                None => {}
                // It is nobody's business.
                Some(Pin::Value(_)) => line.push_str(" pin=hidden"),
                Some(Pin::File(file)) => value(&mut line, "pin", Some(file.display())),
            }
            self.line(&line);
        }
        let mut line = String::from("log");
        match (&plan.logging.file, plan.logging.facility) {
            (Some(file), _) => value(&mut line, "file", Some(file.display())),
            (None, Facility::Standard) => line.push_str(" standard"),
            (None, Facility::Syslog(number)) => value(&mut line, "facility", Some(number)),
        }
        if plan.logging.tag != "pound" {
            value(&mut line, "tag", Some(&plan.logging.tag));
        }
        self.line(&line);
        for format in plan.logging.formats.iter().skip(plan::LogFormat::built_in().len()) {
            let json = if format.style == Style::Text { "" } else { " json" };
            self.inside(|out| out.line(&format!("format {:?}{json} {:?}", format.name, format.parts)));
        }
    }

    fn listener(&mut self, plan: &Plan, listener: &Listener) {
        let mut line = format!("listener {} {}", listener.id, listener.address);
        name(&mut line, listener.name.as_deref());
        if listener.methods != MethodLevel::Basic {
            value(&mut line, "methods", Some(listener.methods as u8));
        }
        if !listener.methods_named.is_empty() {
            value(&mut line, "also", Some(listener.methods_named.join(",")));
        }
        time(&mut line, "client", listener.client_timeout, limits::CLIENT_TIMEOUT);
        time(&mut line, "stream", listener.client_stream.time, limits::STREAM_CLIENT);
        if !listener.half_close {
            line.push_str(" no-half-close");
        }
        value(&mut line, "body", listener.body_max);
        value(&mut line, "target", listener.target_max);
        bounds(&mut line, &listener.bounds);
        match listener.rewrite_location {
            RewriteLocation::BackendOrListener => {}
            RewriteLocation::Keep => line.push_str(" location=keep"),
            RewriteLocation::Backend => line.push_str(" location=backend"),
        }
        if listener.rewrite_destination {
            line.push_str(" destination");
        }
        if let Some(tls) = &listener.tls {
            line.push_str(" tls");
            if tls.strict_sni {
                line.push_str(" strict-sni");
            }
            match tls.check_host {
                CheckHost::No => line.push_str(" any-host"),
                CheckHost::Name => {}
                CheckHost::Certificate => line.push_str(" covered-host"),
            }
            match tls.client.demand {
                Demand::None => {}
                Demand::Ask => value(&mut line, "asks", Some(tls.client.depth)),
                Demand::Require => value(&mut line, "requires", Some(tls.client.depth)),
                Demand::Unverified => line.push_str(" asks-any"),
            }
            match listener.tls_headers {
                TlsHeaders::None => line.push_str(" no-ssl"),
                TlsHeaders::OneLine => {}
                TlsHeaders::Folded => line.push_str(" ssl-folded"),
            }
            policy(&mut line, &tls.policy);
        }
        if !listener.forwarded_headers {
            line.push_str(" no-forwarded");
        }
        if listener.forwarded_header != "X-Forwarded-For" {
            value(&mut line, "forwarded", Some(&listener.forwarded_header));
        }
        if !listener.trusted.is_empty() {
            line.push_str(" trusts");
        }
        value(&mut line, "log", plan.logging.formats.get(listener.log_format).map(|format| &format.name));
        self.line(&line);
        self.inside(|out| {
            if let Some(tls) = &listener.tls {
                tls.certificates
                    .iter()
                    .for_each(|file| out.line(&format!("certificates {}", file.path.display())));
                let client = &tls.client;
                for (what, file) in [
                    ("believes", &client.authorities),
                    ("announces", &client.announced),
                    ("revoked", &client.revoked),
                ] {
                    if let Some(file) = file {
                        out.line(&format!("{what} {}", file.path.display()));
                    }
                }
            }
            if let Some(pattern) = &listener.check_url {
                out.line(&format!("check {pattern}"));
            }
            if let Some(sets) = &listener.alphabets {
                let standard = plan::Alphabets::default();
                let mut line = "check parts".to_owned();
                for (name, set, default) in [
                    ("segment", sets.segment, standard.segment),
                    ("parameter", sets.parameter, standard.parameter),
                    ("qid", sets.query_id, standard.query_id),
                    ("qval", sets.query_value, standard.query_value),
                ] {
                    value(&mut line, name, (set != default).then_some(set));
                }
                out.line(&line);
            }
            for (code, page) in &listener.error_pages {
                out.line(&format!("page {code} {}", page_line(page)));
            }
            out.steps("request", &listener.rewrites.request);
            out.steps("response", &listener.rewrites.response);
            let services: Vec<String> =
                listener.services.iter().map(|service| service.id.to_string()).collect();
            out.line(&format!("services {}", services.join(" ")));
        });
    }

    fn service(&mut self, service: &Service) {
        let mut line = format!("service {} ({})", service.id, service.place);
        name(&mut line, service.name.as_deref());
        if service.disabled {
            line.push_str(" disabled");
        }
        if service.client_certificate {
            line.push_str(" requires-client-certificate");
        }
        value(&mut line, "forwarded", service.forwarded_header.as_ref());
        if service.trusted.is_some() {
            line.push_str(" trusts");
        }
        match service.rewrite_location {
            None => {}
            Some(RewriteLocation::Keep) => line.push_str(" location=keep"),
            Some(RewriteLocation::BackendOrListener) => line.push_str(" location=all"),
            Some(RewriteLocation::Backend) => line.push_str(" location=backend"),
        }
        value(&mut line, "destination", service.rewrite_destination);
        let LogSuppress(classes) = service.log_suppress;
        if classes.contains(&true) {
            let classes: String =
                (1..=5).zip(classes).filter(|(_, on)| *on).map(|(class, _)| class.to_string()).collect();
            value(&mut line, "suppress", Some(classes));
        }
        self.line(&line);
        self.inside(|out| {
            if let Condition::All(conditions) = &service.condition {
                conditions.iter().for_each(|condition| out.condition("when ", condition));
            }
            out.steps("request", &service.rewrites.request);
            out.steps("response", &service.rewrites.response);
            out.target(&service.target);
        });
    }

    fn condition(&mut self, before: &str, condition: &Condition) {
        let line = match condition {
            Condition::All(inner) | Condition::Any(inner) => {
                let word = if matches!(condition, Condition::All(_)) { "all" } else { "any" };
                self.line(&format!("{before}{word}"));
                return self.inside(|out| inner.iter().for_each(|condition| out.condition("", condition)));
            }
            Condition::Not(inner) => return self.condition(&format!("{before}not "), inner),
            Condition::Acl { acl, forwarded } => {
                format!(
                    "acl{}{}",
                    if *forwarded { " forwarded" } else { "" },
                    if acl.is_empty() { " empty" } else { "" }
                )
            }
            Condition::Method(matches) => format!("method {}", Shown(matches)),
            Condition::Url(matches) => format!("url {}", Shown(matches)),
            Condition::Path { matches, decode } => format!("path{} {}", decoded(*decode), Shown(matches)),
            Condition::Query(matches) => format!("query {}", Shown(matches)),
            Condition::QueryParam { name, matches, decode } => {
                format!("param {name:?}{} {}", decoded(*decode), Shown(matches))
            }
            Condition::HeaderLine(matches) => format!("field line {}", Shown(matches)),
            Condition::HeaderField { name, matches } => format!("field {name} {}", Shown(matches)),
            Condition::Host(matches) => format!("host {}", Shown(matches)),
            Condition::ClientCertificate(der) => format!("certificate ({} bytes)", der.len()),
            Condition::StringMatch { subject, matches } => {
                format!("string {:?} {}", subject.to_string(), Shown(matches))
            }
        };
        self.line(&format!("{before}{line}"));
    }

    fn steps<E: Edit>(&mut self, before: &str, steps: &[Step<E>]) {
        for step in steps {
            match step {
                Step::Edit(edit) => self.line(&format!("{before} {}", edit.shown())),
                Step::Choose(branches) => {
                    self.line(&format!("{before} choose"));
                    self.inside(|out| {
                        for branch in branches {
                            out.line("branch");
                            out.inside(|out| {
                                if let Condition::All(conditions) = &branch.condition {
                                    conditions.iter().for_each(|condition| out.condition("when ", condition));
                                }
                                out.steps(before, &branch.steps);
                            });
                        }
                    });
                }
            }
        }
    }

    fn target(&mut self, target: &Target) {
        match target {
            Target::Backends(set) => self.backends(set),
            Target::Redirect(redirect) => self.line(&format!(
                "redirect {} {:?}{}",
                redirect.status,
                redirect.url.to_string(),
                if redirect.append_target { " append" } else { "" }
            )),
            Target::Error { status, page: None } => self.line(&format!("error {status}")),
            Target::Error { status, page: Some(page) } => {
                self.line(&format!("error {status} {}", page_line(page)));
            }
            Target::Files(directory) => self.line(&format!("files {}", directory.display())),
            Target::Success => self.line("success"),
            Target::Nothing => self.line("nothing"),
        }
    }

    fn backends(&mut self, set: &BackendSet) {
        let mut line = String::from(match set.balancer {
            Balancer::Random => "backends random",
            Balancer::Iwrr => "backends iwrr",
        });
        for group in &set.groups {
            line.push_str(if group.number == Group::EMERGENCY { " emergency" } else { " of" });
            for member in &group.members {
                let _ = write!(line, " {}*{}", member.backend.id, member.priority);
            }
        }
        self.line(&line);
        for (backend, here) in &set.times {
            let mut line = format!("times of {backend}");
            times(&mut line, here);
            self.line(&line);
        }
        if let Some(session) = &set.session {
            let key = match &session.key {
                SessionKey::Ip => "ip".to_owned(),
                SessionKey::Basic => "basic".to_owned(),
                SessionKey::Parm => "parm".to_owned(),
                SessionKey::Url(name) => format!("url {name:?}"),
                SessionKey::Cookie(name) => format!("cookie {name:?}"),
                SessionKey::Header(name) => format!("header {name:?}"),
            };
            self.line(&format!("session {key} ttl={:?}", session.ttl));
        }
    }
}

fn name(line: &mut String, name: Option<&str>) {
    if let Some(name) = name {
        let _ = write!(line, " {name:?}");
    }
}

fn value(line: &mut String, key: &str, value: Option<impl Display>) {
    if let Some(value) = value {
        let _ = write!(line, " {key}={value}");
    }
}

fn time(line: &mut String, key: &str, time: Duration, default: Duration) {
    if time != default {
        let _ = write!(line, " {key}={time:?}");
    }
}

fn decoded(decode: bool) -> &'static str {
    if decode { " decoded" } else { "" }
}

fn page_line(page: &Page) -> String {
    format!("({} fields, {} bytes)", page.fields.len(), page.body.len())
}

struct Shown<'a>(&'a Match);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.pattern.fmt(f)?;
        match &self.0.tag {
            Some(tag) => write!(f, " tag={tag}"),
            None => Ok(()),
        }
    }
}

trait Edit {
    fn shown(&self) -> String;
}

impl Edit for FieldEdit {
    fn shown(&self) -> String {
        match self {
            FieldEdit::Set { name, value } => format!("set {name} {:?}", value.to_string()),
            FieldEdit::Delete(pattern) => format!("delete {pattern}"),
        }
    }
}

impl Edit for RequestEdit {
    fn shown(&self) -> String {
        let encoded = |encode: bool| if encode { " encoded" } else { "" };
        match self {
            RequestEdit::Field(edit) => edit.shown(),
            RequestEdit::SetUrl(url) => format!("url {:?}", url.to_string()),
            RequestEdit::SetPath { path, encode } => {
                format!("path{} {:?}", encoded(*encode), path.to_string())
            }
            RequestEdit::SetQuery(query) => format!("query {:?}", query.to_string()),
            RequestEdit::DeleteQuery => "no query".to_owned(),
            RequestEdit::SetQueryParam { name, value: Some(value), encode } => {
                format!("param {name:?}{} {:?}", encoded(*encode), value.to_string())
            }
            RequestEdit::SetQueryParam { name, value: None, .. } => format!("no param {name:?}"),
        }
    }
}

impl Edit for ResponseEdit {
    fn shown(&self) -> String {
        match self {
            ResponseEdit::Field(edit) => edit.shown(),
        }
    }
}
