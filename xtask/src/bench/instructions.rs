//! Instruction counts of the hot functions; not counted yet, so the command says so and fails.
use std::process::ExitCode;

use crate::Failure;
use crate::workspace::Workspace;

/// Counts nothing yet.
pub(super) fn run(_: &Workspace, _: bool) -> Result<ExitCode, Failure> {
    Err(Failure::new("the instruction counts are still to be written"))
}
