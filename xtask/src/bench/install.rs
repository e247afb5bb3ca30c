//! The programs that take part: found, or installed from where their makers and distributions put them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::QUICK_PEERS;
use super::options::Options;
use super::peer::{Kind, LIMITS, ORDER, OURS, Peer, in_path};
use crate::Failure;
use crate::command::{installed, run, say};
use crate::provision;
use crate::workspace::Workspace;

/// Finds (and unless it is a quick run, installs) everything that takes part, in the order of the tables.
pub(super) fn peers(workspace: &Workspace, options: &Options, profile: &str) -> Result<Vec<Peer>, Failure> {
    let mut kinds = Vec::new();
    for name in ORDER {
        kinds.push((name, Kind::read(&workspace.root, name)?));
    }
    if !options.quick {
        debian(&kinds);
        python(workspace)?;
    }
    let mut peers = Vec::new();
    for (name, kind) in kinds {
        for (name, program) in programs(workspace, profile, name, &kind) {
            peers.push(Peer::new(&name, kind.clone(), program)?);
        }
    }
    for text in &options.given {
        let peer = Peer::given(&workspace.root, text)?;
        peers.retain(|known: &Peer| known.name != peer.name);
        peers.push(peer);
    }
    peers.retain(|peer| {
        let chosen = options.peers.is_empty() || options.peers.contains(&peer.name);
        chosen && (!options.quick || !options.peers.is_empty() || QUICK_PEERS.contains(&peer.name.as_str()))
    });
    if let Some(name) = options.peers.iter().find(|name| !peers.iter().any(|peer| peer.name == **name)) {
        let names: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
        return Err(Failure::new(format!("--only {name}: not here; there is {}", names.join(", "))));
    }
    for peer in &peers {
        say(&format!("{}: {} ({})", peer.name, peer.program.display(), peer.version));
    }
    Ok(peers)
}

/// Under which names and where the program of a kind is here: none, one or two.
fn programs(workspace: &Workspace, profile: &str, name: &str, kind: &Kind) -> Vec<(String, PathBuf)> {
    if name == OURS {
        return vec![(name.into(), workspace.target.join(profile).join("pound"))];
    }
    if LIMITS.contains(&name) {
        return vec![(name.into(), workspace.target.join("release").join(&kind.program))];
    }
    let mut found = Vec::new();
    if let Some((_, path)) = &kind.pypi
        && let Some(program) = in_environment(&environment(workspace), path)
    {
        found.push((name.to_owned(), program));
    }
    if let Some(program) = in_path(kind) {
        // The newer one has the plain name.
        let name = if found.is_empty() { name.to_owned() } else { format!("{name}-debian") };
        found.push((name, program));
    }
    if found.is_empty() {
        say(&format!("{name} is not here and does not take part"));
    }
    found
}

fn debian(kinds: &[(&str, Kind)]) {
    let mut packages: Vec<&str> = kinds
        .iter()
        .filter(|(_, kind)| in_path(kind).is_none())
        .filter_map(|(_, kind)| kind.debian.as_deref())
        .collect();
    if !installed("wrk") {
        packages.push("wrk");
    }
    if packages.is_empty() {
        return;
    }
    // One that cannot be had is no reason not to measure the others.
    if let Err(Failure(text)) = provision::debian(&packages) {
        say(&text);
    }
}

/// Makes `bench/venv` in the build directory hold `bench/requirements.txt`.
fn python(workspace: &Workspace) -> Result<(), Failure> {
    let venv = environment(workspace);
    let list = workspace.root.join("bench/requirements.txt");
    let wanted =
        fs::read_to_string(&list).map_err(|error| Failure::new(format!("{}: {error}", list.display())))?;
    let stamp = venv.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|has| has == wanted) {
        return Ok(());
    }
    let python = provision::fitting_python().ok_or_else(|| {
        Failure::new("no Python with `venv` is in PATH; on Debian: apt-get install python3-venv")
    })?;
    say(&format!("installing Python packages into {}", venv.display()));
    run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&venv))?;
    run(Command::new(venv.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(&list))?;
    fs::write(&stamp, wanted).map_err(|error| Failure::new(format!("{}: {error}", stamp.display())))
}

/// The Python environment of the benchmarks.
pub(super) fn environment(workspace: &Workspace) -> PathBuf {
    workspace.target.join("bench/venv")
}

/// A program in an environment: among its programs, or inside a package.
fn in_environment(venv: &Path, path: &str) -> Option<PathBuf> {
    let direct = venv.join(path);
    if direct.is_file() {
        return Some(direct);
    }
    let mut folders = fs::read_dir(venv.join("lib")).ok()?.flatten();
    let file = folders.find_map(|python| {
        let file = python.path().join("site-packages").join(path);
        file.is_file().then_some(file)
    })?;
    // A wheel does not always say that the program in it may be run.
    let _ = Command::new("chmod").arg("+x").arg(&file).status();
    Some(file)
}

/// Puts the peers in the order of the tables.
pub(super) fn position(name: &str) -> usize {
    ORDER
        .iter()
        .position(|known| name == *known || name.starts_with(&format!("{known}-")))
        .unwrap_or(ORDER.len())
}
