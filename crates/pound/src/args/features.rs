//! `-W FEATURE`: switches that are no part of the configuration language.
//!
//! One table holds them all: what is parsed, what an unknown word is answered with, and what `-h` prints.

use std::path::PathBuf;

/// One row of the table.
pub(super) struct Feature {
    /// As it is written after `-W`, with the argument it takes.
    pub(super) usage: &'static str,
    /// One line for `-h`.
    pub(super) help: &'static str,
    set: fn(&mut Features, &str) -> Result<(), String>,
    /// What the word begins with: all of it, or up to and including `=`.
    word: &'static str,
}

/// In the order in which `-h` lists them.
pub(super) const FEATURES: &[Feature] = &[
    Feature {
        word: "sighup=",
        usage: "sighup=stop|ignore",
        help: "what SIGHUP does: stop gracefully, as Pound in C did, or nothing (default)",
        set: |features, value| {
            features.sighup = match value {
                "stop" => Sighup::Stop,
                "ignore" => Sighup::Ignore,
                _ => return Err(format!("-W sighup takes stop or ignore, not \"{value}\"")),
            };
            Ok(())
        },
    },
    Feature {
        word: "include-dir=",
        usage: "include-dir=DIR",
        help: "where relative file names of the configuration are looked up",
        set: |features, value| {
            if value.is_empty() {
                return Err("-W include-dir needs a directory; no-include-dir means the current one".into());
            }
            features.include_dir = IncludeDir::Path(PathBuf::from(value));
            Ok(())
        },
    },
    Feature {
        word: "no-include-dir",
        usage: "no-include-dir",
        help: "look them up in the current directory",
        set: |features, _| {
            features.include_dir = IncludeDir::None;
            Ok(())
        },
    },
    Feature {
        word: "deprecated=",
        usage: "deprecated=ok|warn|error",
        help: "what a deprecated directive is met with (default: warn)",
        set: |features, value| {
            features.deprecated = match value {
                "ok" => Deprecated::Accept,
                "warn" => Deprecated::Warn,
                "error" => Deprecated::Refuse,
                _ => return Err(format!("-W deprecated takes ok, warn or error, not \"{value}\"")),
            };
            Ok(())
        },
    },
    Feature {
        word: "warn-deprecated",
        usage: "warn-deprecated, no-warn-deprecated",
        help: "the same as deprecated=warn and deprecated=ok",
        set: |features, _| {
            features.deprecated = Deprecated::Warn;
            Ok(())
        },
    },
    Feature {
        word: "no-warn-deprecated",
        usage: "",
        help: "",
        set: |features, _| {
            features.deprecated = Deprecated::Accept;
            Ok(())
        },
    },
    Feature {
        word: "dns",
        usage: "dns, no-dns",
        help: "whether addresses may be host names, which are looked up at the start (default: dns)",
        set: |features, _| {
            features.dns = true;
            Ok(())
        },
    },
    Feature {
        word: "no-dns",
        usage: "",
        help: "",
        set: |features, _| {
            features.dns = false;
            Ok(())
        },
    },
    Feature {
        word: "close-extra-fds",
        usage: "close-extra-fds, no-close-extra-fds",
        help: "whether the daemon closes descriptors it inherited (default: it does)",
        set: |features, _| {
            features.close_extra_fds = true;
            Ok(())
        },
    },
    Feature {
        word: "no-close-extra-fds",
        usage: "",
        help: "",
        set: |features, _| {
            features.close_extra_fds = false;
            Ok(())
        },
    },
];

/// Switches of Pound in C that mean something there and are not built here: refused by name, never ignored.
const NOT_YET: [&str; 3] = ["debug=", "preprocess=", "sighup=reload"];

/// The words after `-W` that are not built yet; one that ends in `=` with whatever stands behind it.
pub(super) fn not_yet() -> impl Iterator<Item = &'static str> {
    NOT_YET.into_iter()
}

/// What the `-W` options said, one after the other; the last word on a matter counts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Features {
    pub(crate) sighup: Sighup,
    pub(crate) include_dir: IncludeDir,
    pub(crate) deprecated: Deprecated,
    pub(crate) dns: bool,
    pub(crate) close_extra_fds: bool,
}

/// What SIGHUP does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sighup {
    /// It is logged that reload is not built yet.
    Ignore,
    /// A graceful stop.
    Stop,
}

/// Where relative names are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IncludeDir {
    /// Beside the configuration file.
    Default,
    /// In the current directory.
    None,
    /// In this one.
    Path(PathBuf),
}

/// What a deprecated directive is met with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deprecated {
    /// Nothing.
    Accept,
    /// A warning.
    Warn,
    /// An error.
    Refuse,
}

impl Default for Features {
    fn default() -> Self {
        Features {
            sighup: Sighup::Ignore,
            include_dir: IncludeDir::Default,
            deprecated: Deprecated::Warn,
            dns: true,
            close_extra_fds: true,
        }
    }
}

impl Features {
    /// Takes in one `-W` word.
    ///
    /// # Errors
    /// One sentence; for an unknown word it lists those that are known.
    pub(super) fn set(&mut self, word: &str) -> Result<(), String> {
        if let Some(name) = NOT_YET.into_iter().find(|name| is_of(name, word)) {
            let instead = FEATURES
                .iter()
                .find(|feature| name.len() > feature.word.len() && name.starts_with(feature.word));
            let instead = instead.map_or_else(String::new, |feature| format!("; there is {}", feature.usage));
            return Err(format!("-W {word} is not supported yet{instead}"));
        }
        for feature in FEATURES {
            let value = match word.strip_prefix(feature.word) {
                Some(value) if feature.word.ends_with('=') || value.is_empty() => value,
                _ => continue,
            };
            return (feature.set)(self, value);
        }
        if let Some(feature) = FEATURES.iter().find(|feature| feature.word.strip_suffix('=') == Some(word)) {
            return Err(format!("-W {word} needs a value: {}", feature.usage));
        }
        let known: Vec<&str> =
            FEATURES.iter().map(|feature| feature.usage).filter(|usage| !usage.is_empty()).collect();
        Err(format!("-W does not know \"{word}\"; it knows {}", known.join(", ")))
    }
}

/// Whether `word` is the switch `name`, or, if that takes a value, the switch with any or none.
fn is_of(name: &str, word: &str) -> bool {
    match name.strip_suffix('=') {
        Some(bare) => word == bare || word.starts_with(name),
        None => word == name,
    }
}
