//! The charts, drawn by `bench/chart.py` from the file of results.

use std::path::Path;
use std::process::Command;

use super::install::environment;
use crate::Failure;
use crate::command::{run, say};
use crate::workspace::Workspace;

/// Draws the charts of `results` into `folder`.
pub(super) fn draw(workspace: &Workspace, results: &Path, folder: &Path) -> Result<(), Failure> {
    let python = environment(workspace).join("bin/python");
    if !python.is_file() {
        say("no charts: the Python environment of the benchmarks is not there; a run of all peers makes it");
        return Ok(());
    }
    run(Command::new(python).arg(workspace.root.join("bench/chart.py")).arg(results).arg(folder))
}
