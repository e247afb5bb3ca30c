//! What is wrong with the files that a plan names for TLS, without anything being started: all of it, not the first.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use plan::Plan;
use plan::tls::{FileName, Policy, ServerTls, Verify};

use super::clients;
use super::connect::{Connector, system_roots};
use super::ending::{Ending, Warned};
use super::files::{self, Identity, PassedOver, Refusal, TlsError};
use super::sites::provider;
use super::source::{Reading, Source};
use super::token::Token;
use crate::clock::Clock;

/// Something to be said about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether nothing can be started with this file. Otherwise it should be seen to: it runs out, say, or it cannot be
    /// seen by whoever checks, perhaps on another machine or as another user than will serve.
    pub is_error: bool,
    /// Where it is named, which file, and what is wrong.
    pub sentence: String,
}

/// Reads all files of TLS that the plan names. `now` is in seconds since the epoch.
pub fn check(plan: &Plan, now: i64) -> Vec<Finding> {
    // It is not opened: whether it has the keys is for the server to find out.
    let token = plan.token.as_ref().map(|token| Arc::new(Token::new(token, Clock::system())));
    let mut findings = Findings { all: Vec::new(), warned: Warned::default(), now };
    for tls in plan.listeners.iter().filter_map(|listener| listener.tls.as_ref()) {
        tls.certificates.iter().for_each(|name| findings.certificates(tls, token.as_ref(), name));
        findings.clients(tls);
    }
    for backend in &plan.backends {
        let Some(tls) = &backend.tls else { continue };
        let named = match &tls.verify {
            Verify::Signed(Some(file)) => Some(file),
            Verify::Signed(None) if system_roots().is_none() => {
                let sentence = format!(
                    "{}: HTTPS needs to know whom to believe, and this system has no list of authorities; install ca-certificates, or write CAlist \"FILE\"",
                    tls.place
                );
                findings.add(false, sentence);
                continue;
            }
            _ => None,
        };
        let can_see = findings.can_see_all([named]);
        // What is wrong with a certificate is told whatever else there is to tell.
        if let Some(file) = &tls.certificate {
            match findings.identity(file, &file.path, &tls.policy, token.as_ref()) {
                Ok(identity) => {
                    findings.ending(file, &Ending::shown(&file.path, identity.not_after, now));
                }
                Err(refusal) => {
                    findings.refused(file, &refusal);
                    continue;
                }
            }
        }
        if can_see && let Err(error) = Connector::new(backend, tls, token.as_ref(), now) {
            findings.add(true, error.to_string());
        }
    }
    findings.all
}

struct Findings {
    all: Vec<Finding>,
    /// What was told already, by another listener that names the same file.
    warned: Warned,
    now: i64,
}

impl Findings {
    fn add(&mut self, is_error: bool, sentence: String) {
        let finding = Finding { is_error, sentence };
        if !self.all.contains(&finding) {
            self.all.push(finding);
        }
    }

    fn ending(&mut self, name: &FileName, ending: &Ending<'_>) {
        let (place, directive) = (&name.place, name.directive);
        let Findings { all, warned, .. } = self;
        ending.warn(warned, &mut |_, sentence| {
            all.push(Finding { is_error: false, sentence: format!("{place}: {directive}: {sentence}") });
        });
    }

    fn certificates(&mut self, tls: &ServerTls, token: Option<&Arc<Token>>, name: &FileName) {
        let files = match files::expand(&name.path) {
            Ok(files) => files,
            // A pattern is refused itself, and not its directory, where that can be seen.
            Err(refusal) => {
                let is_error = files::is_pattern(&refusal.path) || can_see(&refusal.path);
                return self.add(is_error, TlsError::new(name, &refusal).to_string());
            }
        };
        // Whether there was none before that will be shown.
        let is_first_name = tls
            .certificates
            .first()
            .is_some_and(|first| first.place == name.place && first.path == name.path);
        let (mut counted, mut seen) = (0, true);
        for file in files {
            match self.identity(name, &file, &tls.policy, token) {
                Ok(identity) => {
                    counted += 1;
                    self.ending(name, &Ending::certificate(&identity, self.now));
                }
                Err(refusal) if files::is_dispensable(name, &refusal, is_first_name && counted == 0) => {
                    let (place, directive) = (&name.place, name.directive);
                    seen &= can_see(&refusal.path);
                    self.add(false, format!("{place}: {directive} {}", PassedOver(&refusal)));
                }
                Err(refusal) => {
                    counted += 1;
                    self.refused(name, &refusal);
                }
            }
        }
        if counted == 0 {
            self.add(seen, TlsError::new(name, &files::none_left(name)).to_string());
        }
    }

    /// The certificate in a file with its key, for a listener or to be shown to a back-end.
    fn identity(
        &mut self,
        name: &FileName,
        file: &Path,
        policy: &Policy,
        token: Option<&Arc<Token>>,
    ) -> Result<Identity, Refusal> {
        let identity = files::identity(&files::load(file), &provider(policy), token, self.now)?;
        for misgiving in &identity.misgivings {
            self.add(false, format!("{}: {}: {misgiving}", name.place, name.directive));
        }
        Ok(identity)
    }

    /// Tells that a file is no good. That is an error if a start would say the same, and so would one for which the key is
    /// nowhere.
    fn refused(&mut self, name: &FileName, refusal: &Refusal) {
        self.add(can_see(&refusal.path), TlsError::new(name, refusal).to_string());
    }

    fn clients(&mut self, tls: &ServerTls) {
        let client = &tls.client;
        if !self.can_see_all([&client.authorities, &client.announced, &client.revoked].map(Option::as_ref)) {
            return;
        }
        let mut source = Source::Own;
        let mut reading = Reading::new(&mut source);
        match clients::verifier(client, &provider(&tls.policy), &mut reading) {
            Ok(_) => {
                if let (Some(file), Some(until)) = (&client.revoked, reading.lists_until) {
                    self.ending(file, &Ending::revoked(&file.path, until, self.now));
                }
            }
            Err(error) => self.add(true, error.to_string()),
        }
    }

    /// Whether all of these files can be read; warns of those that cannot.
    fn can_see_all<const N: usize>(&mut self, names: [Option<&FileName>; N]) -> bool {
        let mut all = true;
        for name in names.into_iter().flatten() {
            if !can_see(&name.path) {
                all = false;
                let content = files::load_alone(&name.path);
                if let Err(refusal) = content.pem() {
                    self.add(false, TlsError::new(name, &refusal).to_string());
                }
            }
        }
        all
    }
}

/// Whether this user, on this machine, sees a file of that name, or a directory.
fn can_see(path: &Path) -> bool {
    let seen = fs::metadata(path).and_then(|metadata| match metadata.is_dir() {
        true => fs::read_dir(path).map(drop),
        false => files::open(path).map(drop),
    });
    seen.err().is_none_or(|error| !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied))
}
