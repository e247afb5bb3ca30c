//! Where the files come from that TLS is about: from this process' own sight of the disk, or from a keeper, a process
//! that kept the right to read them when this one gave it up.
//!
//! Only files that the plan names can be had. Which those are is computed here, by both sides alike.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plan::Plan;
use plan::tls::{BackendTls, FileName, Verify};

use super::files::{self, Content, Mark, Part, TlsError};
use super::keeper::{End, Line};

/// A file that the plan names, or several.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Named {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Certificates with their keys: a file, a directory or a pattern.
    Certificates,
    /// One certificate with its key.
    Certificate,
    /// Authorities, or revoked certificates.
    List,
}

/// All files that a plan names for TLS.
#[derive(Debug, Clone, Default)]
pub struct Names {
    all: Vec<Named>,
    /// Where each is among them.
    places: HashMap<Named, usize>,
}

/// The files of a name as they are now, in order; or why there are none.
pub(super) type Found = Result<Vec<(PathBuf, Mark)>, String>;

/// Who reads.
pub(crate) enum Source {
    /// This process.
    Own,
    /// The keeper at the other end of the line.
    Keeper(Line),
    /// Nobody: this process may not, and there is no keeper.
    Nobody,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Own => "Own",
            Source::Keeper(_) => "Keeper",
            Source::Nobody => "Nobody",
        })
    }
}

impl Named {
    fn new(file: &FileName, kind: Kind) -> Named {
        Named { path: file.path.clone(), kind }
    }

    /// What a listener shows.
    pub(super) fn certificates(file: &FileName) -> Named {
        Named::new(file, Kind::Certificates)
    }

    /// Looks at the disk.
    pub(super) fn find(&self) -> Found {
        let path = &self.path;
        match self.kind {
            Kind::Certificates => {
                let files = files::expand(path).map_err(|refusal| refusal.to_string())?;
                let marked = |file: PathBuf| {
                    let mark = files::mark(&file);
                    (file, mark)
                };
                Ok(files.into_iter().map(marked).collect())
            }
            Kind::Certificate => Ok(vec![(path.clone(), files::mark(path))]),
            Kind::List => Ok(vec![(path.clone(), files::mark_alone(path))]),
        }
    }

    /// Reads one of the files.
    pub(super) fn load(&self, path: &Path) -> Content {
        match self.kind {
            Kind::Certificates | Kind::Certificate => files::load(path),
            Kind::List => files::load_alone(path),
        }
    }
}

impl Names {
    /// Those of this plan.
    pub fn of(plan: &Plan) -> Names {
        let mut names = Names::default();
        for tls in plan.listeners.iter().filter_map(|listener| listener.tls.as_ref()) {
            tls.certificates.iter().for_each(|file| names.add(file, Kind::Certificates));
            let client = &tls.client;
            let lists = [&client.authorities, &client.announced, &client.revoked];
            lists.into_iter().flatten().for_each(|file| names.add(file, Kind::List));
        }
        for tls in plan.backends.iter().filter_map(|backend| backend.tls.as_ref()) {
            let BackendTls { certificate, verify, .. } = tls;
            certificate.iter().for_each(|file| names.add(file, Kind::Certificate));
            if let Verify::Signed(Some(file)) = verify {
                names.add(file, Kind::List);
            }
        }
        names
    }

    fn add(&mut self, file: &FileName, kind: Kind) {
        self.push(Named::new(file, kind));
    }

    fn push(&mut self, named: Named) {
        let place = self.all.len();
        if let Entry::Vacant(vacant) = self.places.entry(named) {
            self.all.push(vacant.key().clone());
            vacant.insert(place);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The folders that whoever reads them must be able to see: where they are named, and where links to them lead. A
    /// renewal may have a link lead to a folder beside that one, so it is the folder above that counts.
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders = BTreeSet::new();
        for named in &self.all {
            let folder = match named.path.is_dir() {
                true => &*named.path,
                false => named.path.parent().unwrap_or(&named.path),
            };
            // One that is not there yet may be made, but not for the whole disk.
            let there = folder.ancestors().find(|folder| folder.is_dir());
            folders.extend(
                there.filter(|there| *there == folder || *there != Path::new("/")).map(Path::to_owned),
            );
            let files = named.find().unwrap_or_default();
            for path in files.iter().flat_map(|(path, _)| files::all_of(path)) {
                let Ok(real) = path.canonicalize() else { continue };
                let named_there = folder.canonicalize().is_ok_and(|folder| real.starts_with(folder));
                let above = real.ancestors().skip(1).take(2).filter(|above| *above != Path::new("/"));
                if !named_there {
                    folders.extend(above.last().map(Path::to_owned));
                }
            }
        }
        folders.into_iter().collect()
    }

    /// How many of the files can be opened now.
    pub fn readable(&self) -> usize {
        let found = self.all.iter().flat_map(|named| named.find().unwrap_or_default());
        let files = found.flat_map(|(path, _)| files::all_of(&path));
        files.filter(|path| files::open(path).is_ok()).count()
    }

    /// How they all look now: what has changed compares unequal.
    pub(crate) fn look(&self) -> impl PartialEq {
        self.all.iter().map(Named::find).collect::<Vec<Found>>()
    }

    pub(super) fn all(&self) -> &[Named] {
        &self.all
    }

    /// Where a name is among all.
    pub(super) fn place(&self, named: &Named) -> Option<usize> {
        self.places.get(named).copied()
    }
}

#[cfg(test)]
impl FromIterator<Named> for Names {
    fn from_iter<T: IntoIterator<Item = Named>>(named: T) -> Self {
        let mut names = Names::default();
        named.into_iter().for_each(|named| names.push(named));
        names
    }
}

impl Source {
    /// Looks at all files: for each name, in order, what there is. `None` if nobody is there to look any more.
    pub(super) fn look(&mut self, names: &Names) -> Option<Arc<[Found]>> {
        match self {
            Source::Own => Some(names.all().iter().map(Named::find).collect()),
            Source::Keeper(line) => line.look().ok(),
            Source::Nobody => None,
        }
    }

    /// What, when it is dropped, ends a look or a reading that takes long.
    pub(crate) fn end(&self) -> Option<End> {
        match self {
            Source::Keeper(line) => line.end(),
            Source::Own | Source::Nobody => None,
        }
    }

    /// Reads a file that was there at the last look.
    pub(super) fn load(&mut self, named: &Named, path: &Path) -> Content {
        match self {
            Source::Own => named.load(path),
            Source::Keeper(line) => line.load(named, path),
            Source::Nobody => Content::unread(path, "there is no process that may read it"),
        }
    }
}

/// Reads what a part of the plan names, and remembers how the files looked.
pub(super) struct Reading<'a> {
    source: &'a mut Source,
    pub(super) marks: Vec<(Named, Mark)>,
    /// When the first of the lists of revoked certificates runs out, seconds since the epoch.
    pub(super) lists_until: Option<i64>,
}

impl Reading<'_> {
    pub(super) fn new(source: &mut Source) -> Reading<'_> {
        Reading { source, marks: Vec::new(), lists_until: None }
    }

    /// A file with authorities or revoked certificates.
    pub(super) fn list(&mut self, file: &FileName) -> Result<Vec<u8>, TlsError> {
        let content = self.load(file, Kind::List);
        content.pem().map(<[u8]>::to_vec).map_err(|refusal| TlsError::new(file, &refusal))
    }

    /// A file with a certificate and its key.
    pub(super) fn certificate(&mut self, file: &FileName) -> Content {
        self.load(file, Kind::Certificate)
    }

    fn load(&mut self, file: &FileName, kind: Kind) -> Content {
        let named = Named::new(file, kind);
        let content = self.source.load(&named, &file.path);
        if self.marks.iter().all(|(known, _)| *known != named) {
            self.marks.push((named, content.mark));
        }
        content
    }
}

impl Content {
    /// One of which nothing is known but why.
    pub(super) fn unread(path: &Path, reason: &str) -> Content {
        let pem: Part = Some(Err(reason.to_owned()));
        Content { path: path.to_owned(), mark: [None; 3], pem, key: None, staple: None, exposed: [false; 2] }
    }
}
