//! The proxies: what `bench/peers/NAME/peer` tells, where the program is, which version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::command::output;

/// Bare relays, in whose terms all others are measured.
pub(super) const LIMITS: [&str; 3] = ["limit-tokio", "limit-epoll", "limit-splice"];

/// The product.
pub(super) const OURS: &str = "pound";

/// In this order they stand in tables and run in a round; `nginx-debian` is the same kind as `nginx`.
pub(super) const ORDER: [&str; 11] = [
    "pound",
    "limit-tokio",
    "limit-epoll",
    "limit-splice",
    "haproxy",
    "nginx",
    "h2o",
    "varnish",
    "envoy",
    "caddy",
    "hitch",
];

/// What is known of one kind of proxy.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) folder: PathBuf,
    pub(super) title: String,
    pub(super) program: String,
    pub(super) debian: Option<String>,
    /// The package, and where in the environment the program lies.
    pub(super) pypi: Option<(String, String)>,
    version: Vec<String>,
    /// Commands to start, each perhaps only under a flag.
    pub(super) runs: Vec<(Option<String>, String)>,
    cannot: Vec<(String, String)>,
}

impl Kind {
    /// Reads `bench/peers/NAME/peer`.
    pub(super) fn read(root: &Path, name: &str) -> Result<Self, Failure> {
        let folder = root.join("bench/peers").join(name);
        let file = folder.join("peer");
        let text = fs::read_to_string(&file)
            .map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
        let mut kind = Kind {
            folder,
            title: name.to_owned(),
            program: String::new(),
            debian: None,
            pypi: None,
            version: Vec::new(),
            runs: Vec::new(),
            cannot: Vec::new(),
        };
        for line in text.lines().filter(|line| !line.is_empty()) {
            let wrong = || Failure::new(format!("{}: what is `{line}`?", file.display()));
            let (word, value) = line.split_once(' ').ok_or_else(wrong)?;
            let value = value.to_owned();
            match word.split_once('@').unwrap_or((word, "")) {
                ("title", "") => kind.title = value,
                ("program", "") => kind.program = value,
                ("debian", "") => kind.debian = Some(value),
                ("pypi", "") => {
                    let (package, path) = value.split_once(' ').ok_or_else(wrong)?;
                    kind.pypi = Some((package.to_owned(), path.to_owned()));
                }
                ("version", "") => kind.version = value.split(' ').map(str::to_owned).collect(),
                ("run", "") => kind.runs.push((None, value)),
                ("run", flag) => kind.runs.push((Some(flag.to_owned()), value)),
                ("cannot", "") => {
                    let (flag, reason) = value.split_once(": ").ok_or_else(wrong)?;
                    kind.cannot.push((flag.to_owned(), reason.to_owned()));
                }
                _ => return Err(wrong()),
            }
        }
        Ok(kind)
    }

    /// Why it has no way to do what the flags ask for, if so.
    pub(super) fn cannot<'a>(&self, flags: impl IntoIterator<Item = &'a String>) -> Option<&str> {
        flags.into_iter().find_map(|flag| {
            let (_, reason) = self.cannot.iter().find(|(cannot, _)| cannot == flag)?;
            Some(reason.as_str())
        })
    }
}

/// A proxy that takes part.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// What it is called on the command line and in the file of results.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) program: PathBuf,
    /// What it tells of itself.
    pub(super) version: String,
}

impl Peer {
    pub(super) fn new(name: &str, kind: Kind, program: PathBuf) -> Result<Self, Failure> {
        let mut version = String::new();
        if !kind.version.is_empty() {
            let said = output(Command::new(&program).args(&kind.version))?;
            let text = if said.stdout.is_empty() { said.stderr } else { said.stdout };
            let text = String::from_utf8_lossy(&text).into_owned();
            let version_line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            // Some begin with where they are.
            version = version_line.replace(&program.display().to_string(), "").trim().to_owned();
        }
        Ok(Peer { name: name.to_owned(), kind, program, version })
    }

    /// `NAME=PATH` of the command line; the kind is the name, or the part of it before a dash.
    pub(super) fn given(root: &Path, text: &str) -> Result<Self, Failure> {
        let (name, path) = text
            .split_once('=')
            .ok_or_else(|| Failure::new(format!("--peer {text}: NAME=PATH is wanted")))?;
        let known = |kind: &str| root.join("bench/peers").join(kind).join("peer").is_file();
        let kind =
            [name].into_iter().chain(name.rsplit_once('-').map(|(kind, _)| kind)).find(|kind| known(kind));
        let Some(kind) = kind else {
            return Err(Failure::new(format!(
                "--peer {text}: there is no bench/peers/{name} that says how to configure it"
            )));
        };
        let path = std::path::absolute(path).map_err(|error| Failure::new(format!("{path}: {error}")))?;
        if !path.is_file() {
            return Err(Failure::new(format!("--peer {text}: there is no such program")));
        }
        Peer::new(name, Kind::read(root, kind)?, path)
    }
}

/// Where in `PATH` (or among administrators' programs) the program of this kind is.
pub(super) fn in_path(kind: &Kind) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(Into::into))
        .map(|folder| folder.join(&kind.program))
        .find(|file| file.is_file())
}
