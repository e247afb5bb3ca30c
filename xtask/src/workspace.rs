//! Where things lie: the checkout, the build directory, the corpora beside the checkout.

use std::path::{Path, PathBuf};

use crate::Failure;

/// The directories that the commands work in.
pub(crate) struct Workspace {
    /// The root of the checkout, where `Cargo.toml` with `[workspace]` lies.
    pub(crate) root: PathBuf,
    /// Cargo's build directory: `CARGO_TARGET_DIR`, else `target/` in the root.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds both from the manifest of this crate and the environment.
    pub(crate) fn find() -> Result<Self, Failure> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest
            .parent()
            .filter(|root| root.join("Cargo.toml").is_file())
            .ok_or_else(|| {
                Failure::new(format!(
                    "no checkout around {}: was it moved after xtask was built? \
                     `touch xtask/src/main.rs` and try again",
                    manifest.display()
                ))
            })?
            .to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(given) => std::path::absolute(&given)
                .map_err(|error| Failure::new(format!("CARGO_TARGET_DIR={}: {error}", given.display())))?,
            None => root.join("target"),
        };
        Ok(Workspace { root, target })
    }

    /// The daemon that the end-to-end tests drive.
    pub(crate) fn pound(&self) -> PathBuf {
        self.target.join("release/pound")
    }

    /// The Python of the tests' own environment.
    pub(crate) fn python(&self) -> PathBuf {
        self.target.join("venv/bin/python")
    }

    /// The hostile requests and answers, which are kept beside the checkout and not in it.
    pub(crate) fn corpus(&self) -> PathBuf {
        self.root.join("../shared/corpus")
    }
}
