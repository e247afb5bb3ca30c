//! Golden tests: each file in `tests/adapt/v4` is a configuration, a line `----`, and what comes of it: diagnostics as
//! they are printed, and the plan if there is one.
//!
//! `UPDATE=1 cargo test -p config --test adapt` writes what comes of them today; read the difference before it is
//! committed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use config::{Deprecated, Options};

const SEPARATOR: &str = "----\n";

#[test]
fn every_configuration_becomes_what_its_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/adapt/v4");
    let update = std::env::var_os("UPDATE").is_some();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cfg"))
        .collect();
    files.sort();
    assert!(update || files.len() >= 60, "only {} files in {}", files.len(), folder.display());
    let mut wrong = String::new();
    for file in files {
        let content = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let (text, expected) = match content.split_once(SEPARATOR) {
            Some((text, expected)) => (text, expected),
            None => (content.as_str(), ""),
        };
        let found = run(&name, text, &folder);
        if found == expected {
            continue;
        }
        if update {
            std::fs::write(&file, format!("{text}{SEPARATOR}{found}")).unwrap();
        } else {
            let _ = write!(wrong, "== {name}\n-- expected\n{expected}-- found\n{found}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Files that a configuration names are below `tests/adapt/v4/files`.
fn run(name: &str, text: &str, folder: &Path) -> String {
    let deprecated = match text.lines().next() {
        Some("# deprecated=error") => Deprecated::Error,
        Some("# deprecated=ok") => Deprecated::Ok,
        _ => Deprecated::Warn,
    };
    let files = folder.join("files");
    let options = Options { include_dir: Some(files.clone()), deprecated, ..Options::default() };
    let (plan, diagnostics) = config::load_text(name, text, &options);
    assert_eq!(plan.is_none(), diagnostics.has_errors(), "{name}: a plan and errors, or neither");
    let mut out = diagnostics.render(false);
    if let Some(plan) = plan {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&config::dump(&plan));
    }
    // The checkout may stand anywhere.
    out.replace(&*files.to_string_lossy(), "FILES")
}
