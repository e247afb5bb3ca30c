//! Certificates that follow their files while we run, and warnings before they run out.
//!
//! Whoever renews certificates writes files; a second later they are in use. A file that is half written, or holds
//! nonsense, changes nothing but the log.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plan::tls::{ClientCertificates, FileName};

use super::files::{self, Mark};
use super::sites::{Server, Site};

/// Follows the files of all listeners.
pub(crate) struct Follower {
    listeners: Vec<Listener>,
    jail: Jail,
    /// How many of `THRESHOLDS` a certificate has passed, where that was told.
    warned: HashMap<PathBuf, usize>,
}

struct Listener {
    server: Arc<Server>,
    /// What was found when its files were last looked at. A change is believed once it is seen twice: by then, whoever
    /// writes a file has most likely finished.
    before: Found,
    /// What could not be used, as it looked then; it is tried again when it looks otherwise.
    refused: HashMap<PathBuf, Mark>,
    /// By `Cert`: why its files could not be found, where that was told.
    missing: HashMap<usize, String>,
    /// The files about clients, as they looked when they were last read, and when they were last looked at.
    clients: Vec<Mark>,
    clients_before: Vec<Mark>,
}

/// The files of each `Cert`, in order; or why they cannot be found, empty if they cannot be seen at all.
type Found = Vec<Result<Vec<(PathBuf, Mark)>, String>>;

/// Where a file is for this process, which may live in a jail.
struct Jail(Option<PathBuf>);

/// What is told, and how bad it is.
type Say<'a> = &'a mut dyn FnMut(News, fmt::Arguments<'_>);

/// How bad a piece of news is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// As was to be expected.
    Good,
    /// Somebody should do something about it.
    Warning,
    /// Something cannot be done.
    Bad,
}

/// Seconds before its end at which a certificate is warned of.
const THRESHOLDS: [i64; 4] = [30 * DAY, 7 * DAY, DAY, 0];
const DAY: i64 = 24 * 60 * 60;

impl Follower {
    /// One for these listeners, in a process that sees nothing but the jail.
    pub(crate) fn new(servers: &[Option<Arc<Server>>], jail: Option<&Path>, say: Say<'_>) -> Follower {
        let jail = Jail(jail.map(Path::to_owned));
        let mut listeners = Vec::new();
        for server in servers.iter().flatten() {
            for name in server.plan().certificates.iter().chain(client_files(server)) {
                if jail.inside(&name.path).is_none() {
                    say(
                        News::Warning,
                        format_args!(
                            "{name} lies outside of RootJail and is not followed; put it inside to have changes seen"
                        ),
                    );
                }
            }
            server.sites().all.iter().for_each(|site| misgivings(site, say));
            // They were read a moment before this; what changes them in between is seen when it changes them again.
            let clients = client_marks(server, &jail);
            listeners.push(Listener {
                server: server.clone(),
                before: Vec::new(),
                refused: HashMap::new(),
                missing: HashMap::new(),
                clients_before: clients.clone(),
                clients,
            });
        }
        Follower { listeners, jail, warned: HashMap::new() }
    }

    /// Whether there is nothing to follow.
    pub(crate) fn is_idle(&self) -> bool {
        self.listeners.is_empty()
    }

    /// Looks at all files, and takes up what has changed.
    pub(crate) fn look(&mut self, now: i64, say: Say<'_>) {
        for listener in &mut self.listeners {
            listener.follow_clients(&self.jail, say);
            listener.follow_certificates(&self.jail, now, say);
            for site in &listener.server.sites().all {
                warn(&mut self.warned, site, now, say);
            }
        }
    }
}

impl Listener {
    fn follow_certificates(&mut self, jail: &Jail, now: i64, say: Say<'_>) {
        let names = &self.server.plan().certificates;
        let found: Found = names.iter().map(|name| find(&name.path, jail)).collect();
        if found != self.before {
            self.before = found;
            return;
        }
        let shown = self.server.sites();
        let mut sites: Vec<Arc<Site>> = Vec::with_capacity(shown.all.len());
        let mut changed = false;
        for (index, found) in found.iter().enumerate() {
            let own = || shown.all.iter().filter(|site| site.name == index);
            let files = match found {
                Ok(files) => files,
                // A directory that is gone, or empty: whatever that means, it is not that nothing is to be shown.
                Err(reason) => {
                    if !reason.is_empty() && self.missing.get(&index) != Some(reason) {
                        self.missing.insert(index, reason.clone());
                        say(News::Bad, format_args!("{reason}; the certificates that were there stay"));
                    }
                    sites.extend(own().cloned());
                    continue;
                }
            };
            self.missing.remove(&index);
            for (path, mark) in files {
                let old = own().find(|site| jail.is(&site.identity.path, path));
                let is_news = old.is_none_or(|site| {
                    site.identity.mark != *mark
                        || site.identity.staple_until.is_some_and(|until| until <= now)
                });
                if !is_news || self.refused.get(path) == Some(mark) {
                    sites.extend(old.cloned());
                    continue;
                }
                match self.server.read(path, index, now) {
                    Ok(site) => {
                        self.refused.remove(path);
                        let names = Names(&site);
                        say(News::Good, format_args!("certificate {} is in use{names}", path.display()));
                        misgivings(&site, say);
                        sites.push(site);
                        changed = true;
                    }
                    Err(refusal) => {
                        self.refused.insert(path.clone(), *mark);
                        let stays = if old.is_some() { "; the old one stays" } else { "" };
                        say(News::Bad, format_args!("certificate {refusal}{stays}"));
                        sites.extend(old.cloned());
                    }
                }
            }
        }
        let kept: HashSet<(usize, &Path)> =
            sites.iter().map(|site| (site.name, &*site.identity.path)).collect();
        for site in &shown.all {
            let path = &site.identity.path;
            let inside = jail.inside(path);
            if !kept.contains(&(site.name, path))
                && !inside.is_some_and(|inside| kept.contains(&(site.name, &inside)))
            {
                say(News::Good, format_args!("certificate {} is no longer shown", path.display()));
                changed = true;
            }
        }
        if changed && !sites.is_empty() {
            self.server.show(sites);
        }
    }

    fn follow_clients(&mut self, jail: &Jail, say: Say<'_>) {
        let now = client_marks(&self.server, jail);
        let before = std::mem::replace(&mut self.clients_before, now.clone());
        if now == self.clients || now != before {
            return;
        }
        self.clients = now;
        let here = |file: &Option<FileName>| {
            let path = |file: &FileName| jail.inside(&file.path).unwrap_or_else(|| file.path.clone());
            file.as_ref().map(|file| FileName { path: path(file), ..file.clone() })
        };
        let plan = &self.server.plan().client;
        let plan = ClientCertificates {
            authorities: here(&plan.authorities),
            announced: here(&plan.announced),
            revoked: here(&plan.revoked),
            ..plan.clone()
        };
        match self.server.judge(&plan) {
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

/// The files of a `Cert` as they are now.
fn find(path: &Path, jail: &Jail) -> Result<Vec<(PathBuf, Mark)>, String> {
    let path = jail.inside(path).ok_or_else(String::new)?;
    // A file that is gone is not looked for in vain: it counts as one that cannot be found.
    let files = files::expand(&path).map_err(|refusal| refusal.to_string())?;
    let marked = |path: PathBuf| {
        let mark = files::mark(&path);
        (path, mark)
    };
    Ok(files.into_iter().map(marked).collect())
}

/// Warns of a certificate that is about to run out, once at each threshold.
fn warn(warned: &mut HashMap<PathBuf, usize>, site: &Site, now: i64, say: Say<'_>) {
    let identity = &site.identity;
    let left = identity.not_after - now;
    let passed = THRESHOLDS.iter().filter(|&&threshold| left <= threshold).count();
    let before = warned.get(&identity.path).copied().unwrap_or(0);
    if passed == before {
        return;
    }
    warned.insert(identity.path.clone(), passed);
    let (path, names) = (identity.path.display(), Names(site));
    match (passed > before, left) {
        // It has been renewed.
        (false, _) => {}
        (true, ..=0) => say(News::Bad, format_args!("certificate {path} has run out{names}; renew it")),
        (true, ..DAY) => {
            say(
                News::Warning,
                format_args!("certificate {path} runs out in {} h{names}; renew it", left / 3600),
            );
        }
        (true, _) => {
            say(
                News::Warning,
                format_args!("certificate {path} runs out in {} days{names}; renew it", left / DAY),
            );
        }
    }
}

impl Jail {
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        match &self.0 {
            None => Some(path.to_owned()),
            Some(jail) => path.strip_prefix(jail).ok().map(|inside| Path::new("/").join(inside)),
        }
    }

    /// Whether a file that was read as `path`, perhaps before there was a jail, is the one at `here`.
    fn is(&self, path: &Path, here: &Path) -> bool {
        path == here || self.0.is_some() && self.inside(path).as_deref() == Some(here)
    }
}

/// The files that say which certificates of clients count.
fn client_files(server: &Server) -> impl Iterator<Item = &FileName> {
    let client = &server.plan().client;
    [&client.authorities, &client.announced, &client.revoked].into_iter().flatten()
}

fn client_marks(server: &Server, jail: &Jail) -> Vec<Mark> {
    client_files(server).filter_map(|file| jail.inside(&file.path)).map(|path| files::mark(&path)).collect()
}

fn misgivings(site: &Site, say: Say<'_>) {
    for misgiving in &site.identity.misgivings {
        say(News::Warning, format_args!("{misgiving}"));
    }
}

/// ` (a.example)`, or how many there are.
struct Names<'a>(&'a Site);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0.identity.names {
            [] => Ok(()),
            [name] => write!(f, " ({name})"),
            [name, others @ ..] => write!(f, " ({name} and {} more)", others.len()),
        }
    }
}
