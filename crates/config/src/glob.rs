//! File names with `*`, `?` and `[…]`, as in `Include "conf.d/*.cfg"`.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Directory entries that one pattern may look at.
const ENTRIES_MAX: usize = 100_000;

/// Whether a file name is a pattern.
pub(crate) fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '['])
}

/// The files that match, sorted. Names that begin with a dot must be asked for by a dot, as in a shell.
///
/// # Errors
/// A directory without any `*` before it in the pattern cannot be read, or too much was found.
pub(crate) fn expand(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![PathBuf::new()];
    let mut certain = true;
    let mut looked_at = 0;
    for component in pattern.components() {
        let Component::Normal(name) = component else {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        };
        let name = name.to_string_lossy();
        if !is_pattern(Path::new(&*name)) {
            found.iter_mut().for_each(|path| path.push(&*name));
            continue;
        }
        let mut next = Vec::new();
        for directory in &found {
            let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            let entries = match fs::read_dir(here) {
                Ok(entries) => entries,
                Err(error) if certain => return Err(error),
                // Below a `*` there may be things that are no directories.
                Err(_) => continue,
            };
            for entry in entries {
                looked_at += 1;
                if looked_at > ENTRIES_MAX {
                    return Err(io::Error::other(format!(
                        "more than {ENTRIES_MAX} directory entries to look at"
                    )));
                }
                let entry = entry?.file_name();
                if matches(name.as_bytes(), entry.to_string_lossy().as_bytes()) {
                    next.push(directory.join(entry));
                }
            }
        }
        found = next;
        certain = false;
    }
    found.retain(|path| path.exists());
    found.sort();
    Ok(found)
}

fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    // Going back to the last star only is enough, and keeps this from being exponential.
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => set(&pattern[p..], name[n]),
            Some(byte) if *byte == name[n] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(len), _) => {
                p += len;
                n += 1;
            }
            (None, Some((star_p, star_n))) => {
                p = star_p + 1;
                n = star_n + 1;
                star = Some((star_p, n));
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// The length of the bracket expression at the start of `pattern` if `byte` is in it.
fn set(pattern: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = 1 + usize::from(negated);
    let close = first + 1 + pattern.get(first + 1..)?.iter().position(|byte| *byte == b']')?;
    let mut members = &pattern[first..close];
    let mut found = false;
    while let [low, rest @ ..] = members {
        if let [b'-', high, rest @ ..] = rest {
            found |= (*low..=*high).contains(&byte);
            members = rest;
        } else {
            found |= *low == byte;
            members = rest;
        }
    }
    (found != negated).then_some(close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_a_shell() {
        for (pattern, name, expect) in [
            ("*.cfg", "a.cfg", true),
            ("*.cfg", ".cfg", false),
            (".*", ".cfg", true),
            ("*.cfg", "a.cfg~", false),
            ("a*b*c", "a-bb-c", true),
            ("a*b*c", "a-bb-d", false),
            ("?0-x", "10-x", true),
            ("?", "", false),
            ("*", "x", true),
            ("[0-9]*", "7x", true),
            ("[0-9]*", "x7", false),
            ("[!a]", "b", true),
            ("[!a]", "a", false),
            ("[]x]", "]", true),
            ("[x", "[x", false),
            ("*****************b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expect, "{pattern} {name}");
        }
    }
}
