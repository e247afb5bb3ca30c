//! Certificates that follow their files while we run, and warnings before they run out.
//!
//! Whoever renews certificates writes files; a second later they are in use. A file that is half written, or holds
//! nonsense, changes nothing but the log.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plan::Plan;

use super::connect::Connector;
use super::ending::{Covered, Ending, News, Say, Warned};
use super::files::{Mark, PassedOver};
use super::sites::{Server, Site};
use super::source::{Found, Named, Names, Source};
use crate::limits;

/// Follows the files of all listeners and back-ends.
pub(crate) struct Follower {
    listeners: Vec<Listener>,
    backends: Vec<Backend>,
    names: Names,
    source: Source,
    /// Whether there is nobody any more who could look.
    blind: bool,
    /// What was found at the last look. A change is believed once it is seen twice: by then, whoever writes a file has
    /// most likely finished.
    before: Arc<[Found]>,
    /// How many thresholds a file has passed on the way to its end, where that was told.
    warned: Warned,
}

struct Listener {
    server: Arc<Server>,
    /// What could not be used; it is tried again when it looks otherwise.
    refused: HashMap<PathBuf, Refused>,
    /// By `Cert`: why its files could not be found, where that was told.
    missing: HashMap<usize, String>,
    /// Those about clients.
    lists: Watched,
}

/// A file that could not be used.
struct Refused {
    /// As it looked then.
    mark: Mark,
    /// When it is tried again though it looks the same: what is missing may come to the token.
    again: Option<i64>,
}

struct Backend {
    connector: Arc<Connector>,
    files: Watched,
}

/// Files that are read together, as they looked when that was last tried.
struct Watched(Vec<(Named, Mark)>);

/// What there is now.
struct Seen<'a> {
    names: &'a Names,
    found: &'a [Found],
    before: &'a [Found],
}

impl Follower {
    /// One for what runs, which reads from `source`.
    pub(crate) fn new(
        plan: &Plan,
        servers: &[Option<Arc<Server>>],
        connectors: Vec<Arc<Connector>>,
        source: Source,
        say: Say<'_>,
    ) -> Follower {
        let mut listeners = Vec::new();
        for server in servers.iter().flatten() {
            let sites = server.sites();
            sites.all.iter().for_each(|site| misgivings(site, say));
            let mut refused = HashMap::new();
            for (path, mark, refusal) in &sites.refused {
                say(News::Warning, format_args!("certificate {}", PassedOver(refusal)));
                refused.insert(path.clone(), Refused { mark: *mark, again: None });
            }
            listeners.push(Listener {
                server: server.clone(),
                refused,
                missing: HashMap::new(),
                lists: Watched(server.lists()),
            });
        }
        let backend = |connector: Arc<Connector>| {
            let files = Watched(connector.files());
            Backend { connector, files }
        };
        let backends = connectors.into_iter().map(backend).collect();
        // Whoever has seen to it that nobody reads has said so.
        let blind = matches!(source, Source::Nobody);
        let (before, warned) = (Arc::default(), Warned::default());
        Follower { listeners, backends, names: Names::of(plan), source, blind, before, warned }
    }

    /// Whether there is nothing to follow.
    pub(crate) fn is_idle(&self) -> bool {
        self.names.is_empty()
    }

    /// Looks at all files, and takes up what has changed.
    pub(crate) fn look(&mut self, now: i64, say: Say<'_>) {
        if !self.blind {
            match self.source.look(&self.names) {
                Some(found) => self.take_up(found, now, say),
                None => {
                    self.blind = true;
                    say(
                        News::Bad,
                        format_args!(
                            "the process that has kept the right to read certificates is gone, or does not answer; changes of files are not seen any more, restart pound"
                        ),
                    );
                }
            }
        }
        self.warn(now, say);
    }

    /// Warns of what is about to run out.
    fn warn(&mut self, now: i64, say: Say<'_>) {
        let sites: Vec<_> = self.listeners.iter().map(|listener| listener.server.sites()).collect();
        let certificates = sites.iter().flat_map(|sites| &sites.all);
        let certificates = certificates.map(|site| Ending::certificate(&site.identity, now));
        let lists = self.listeners.iter().filter_map(|listener| listener.server.lists_until());
        let lists = lists.map(|(file, until)| Ending::revoked(&file.path, until, now));
        let shown = self.backends.iter().filter_map(|backend| backend.connector.shown());
        let shown = shown.map(|(file, until)| Ending::shown(&file.path, until, now));
        self.warned.tell(certificates.chain(lists).chain(shown), say);
    }

    fn take_up(&mut self, found: Arc<[Found]>, now: i64, say: Say<'_>) {
        let seen = Seen { names: &self.names, found: &found, before: &self.before };
        for listener in &mut self.listeners {
            listener.follow_lists(&seen, &mut self.source, say);
            listener.follow_certificates(&seen, &mut self.source, now, say);
        }
        for backend in &mut self.backends {
            backend.follow(&seen, &mut self.source, now, say);
        }
        self.before = found;
    }
}

/// Reads the lists of authorities and of revoked certificates again, in a process with one thread that does not serve.
/// Returns a sentence for each that cannot be used.
pub(crate) fn read_lists_again(
    servers: &[Option<Arc<Server>>],
    connectors: &[Arc<Connector>],
    now: i64,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for server in servers.iter().flatten().filter(|server| !server.lists().is_empty()) {
        // Though they look the same: tickets of the process that died may have been given by other lists.
        wrong.extend(server.judge(&mut Source::Own).err().map(|error| error.to_string()));
    }
    for connector in connectors {
        wrong.extend(connector.believe(&mut Source::Own, now).err().map(|error| error.to_string()));
    }
    wrong
}

/// Reads certificates again, in such a process. The log names one that cannot be used, and the old one stays.
///
/// Where there is a token, they are left to the serving process: only there can it be seen whether the token has their keys.
pub(crate) fn read_certificates_again(
    plan: &Plan,
    servers: &[Option<Arc<Server>>],
    connectors: Vec<Arc<Connector>>,
    now: i64,
    say: Say<'_>,
) {
    if plan.token.is_some() {
        return;
    }
    let mut follower = Follower::new(plan, servers, connectors, Source::Own, say);
    // What is seen twice is believed; whoever calls has waited for that.
    for _ in 0..2 {
        if let Some(found) = follower.source.look(&follower.names) {
            follower.take_up(found, now, say);
        }
    }
}

impl Seen<'_> {
    /// The files of a name, if they are as they were at the last look.
    fn settled(&self, named: &Named) -> Option<&Found> {
        let index = self.names.place(named)?;
        let found = self.found.get(index)?;
        (self.before.get(index) == Some(found)).then_some(found)
    }
}

impl Watched {
    /// Whether one of them looks otherwise than when it was last read; it counts as read then.
    fn have_changed(&mut self, seen: &Seen<'_>) -> bool {
        let mut now = Vec::with_capacity(self.0.len());
        for (named, _) in &self.0 {
            // What is written just now is waited for, and so is all that is read with it.
            let Some(Ok(files)) = seen.settled(named) else { return false };
            now.extend(files.iter().map(|(_, mark)| (named.clone(), *mark)));
        }
        let changed = now != self.0;
        self.0 = now;
        changed
    }
}

impl Listener {
    fn follow_certificates(&mut self, seen: &Seen<'_>, source: &mut Source, now: i64, say: Say<'_>) {
        let shown = self.server.sites();
        let mut sites: Vec<Arc<Site>> = Vec::with_capacity(shown.all.len());
        let mut changed = false;
        for (index, name) in self.server.plan().certificates.iter().enumerate() {
            let own = shown.of_name(index);
            let named = Named::certificates(name);
            let files = match seen.settled(&named) {
                Some(Ok(files)) => files,
                // A directory that is gone, or empty: whatever that means, it is not that nothing is to be shown.
                Some(Err(reason)) => {
                    if self.missing.get(&index) != Some(reason) {
                        self.missing.insert(index, reason.clone());
                        say(News::Bad, format_args!("{reason}; the certificates that were there stay"));
                    }
                    sites.extend_from_slice(own);
                    continue;
                }
                None => {
                    sites.extend_from_slice(own);
                    continue;
                }
            };
            self.missing.remove(&index);
            for (path, mark) in files {
                let old = own.binary_search_by(|site| site.identity.path.cmp(path)).ok().map(|at| &own[at]);
                let is_news = old.is_none_or(|site| {
                    site.identity.mark != *mark
                        || site.identity.staple_until.is_some_and(|until| until <= now)
                });
                let refused = self.refused.get(path).filter(|refused| refused.mark == *mark);
                if !is_news || refused.is_some_and(|refused| refused.again.is_none_or(|again| again > now)) {
                    sites.extend(old.cloned());
                    continue;
                }
                let told = refused.is_some();
                match self.server.read(&source.load(&named, path), index, now) {
                    Ok(site) => {
                        self.refused.remove(path);
                        let names = Covered(&site.identity);
                        say(News::Good, format_args!("certificate {} is in use{names}", path.display()));
                        misgivings(&site, say);
                        sites.push(site);
                        changed = true;
                    }
                    Err(refusal) => {
                        let again = refusal.may_pass.then_some(now + limits::TOKEN_LOOK);
                        self.refused.insert(path.clone(), Refused { mark: *mark, again });
                        let stays = if old.is_some() { "; the old one stays" } else { "" };
                        if !told {
                            say(News::Bad, format_args!("certificate {refusal}{stays}"));
                        }
                        sites.extend(old.cloned());
                    }
                }
            }
        }
        if !changed && sites.len() == shown.all.len() {
            return;
        }
        let kept: HashSet<(usize, &Path)> =
            sites.iter().map(|site| (site.name, &*site.identity.path)).collect();
        for site in &shown.all {
            let path = &site.identity.path;
            if !kept.contains(&(site.name, path)) {
                say(News::Good, format_args!("certificate {} is no longer shown", path.display()));
                changed = true;
            }
        }
        if changed && !sites.is_empty() {
            self.server.show(sites);
        }
    }

    fn follow_lists(&mut self, seen: &Seen<'_>, source: &mut Source, say: Say<'_>) {
        if !self.lists.have_changed(seen) {
            return;
        }
        match self.server.judge(source) {
            Ok(()) => say(
                News::Good,
                format_args!(
                    "the files by which certificates of clients are judged are read again; sessions begin anew"
                ),
            ),
            Err(error) => say(News::Bad, format_args!("{error}; the old content stays")),
        }
    }
}

impl Backend {
    fn follow(&mut self, seen: &Seen<'_>, source: &mut Source, now: i64, say: Say<'_>) {
        if !self.files.have_changed(seen) {
            return;
        }
        match self.connector.renew(source, now) {
            Ok(()) => say(
                News::Good,
                format_args!(
                    "the files for TLS with back-end {} are read again; new connections go by them",
                    self.connector.plan().address
                ),
            ),
            Err(error) => say(News::Bad, format_args!("{error}; the old content stays")),
        }
    }
}

fn misgivings(site: &Site, say: Say<'_>) {
    for misgiving in &site.identity.misgivings {
        say(News::Warning, format_args!("{misgiving}"));
    }
}
