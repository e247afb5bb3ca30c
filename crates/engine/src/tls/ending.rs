//! What comes to an end, and when it is told of that.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use super::files::Identity;

/// What is told, and how bad it is.
pub(super) type Say<'a> = &'a mut dyn FnMut(News, fmt::Arguments<'_>);

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

/// How many thresholds a file has passed on the way to its end, where that was told; by what it is, and where.
#[derive(Debug, Default)]
pub(super) struct Warned(HashMap<&'static str, HashMap<PathBuf, usize>>);

impl Warned {
    fn get(&self, ending: &Ending<'_>) -> usize {
        self.0.get(ending.what).and_then(|paths| paths.get(ending.path)).copied().unwrap_or(0)
    }

    /// Tells of all of these, once at each threshold. Of a file that was read at different times, because some could not
    /// use it any more, the first end counts.
    pub(super) fn tell<'a>(&mut self, endings: impl Iterator<Item = Ending<'a>>, say: Say<'_>) {
        let mut first: BTreeMap<(&str, &Path), Ending<'_>> = BTreeMap::new();
        for ending in endings {
            if ending.passed() == 0 && self.get(&ending) == 0 {
                continue;
            }
            match first.entry((ending.what, ending.path)) {
                Entry::Vacant(vacant) => {
                    vacant.insert(ending);
                }
                Entry::Occupied(mut known) => {
                    if ending.left < known.get().left {
                        known.insert(ending);
                    }
                }
            }
        }
        first.into_values().for_each(|ending| ending.warn(self, say));
    }
}

/// Something that holds for a time.
pub(super) struct Ending<'a> {
    path: &'a Path,
    what: &'static str,
    names: Option<Covered<'a>>,
    /// Seconds that it still holds.
    left: i64,
    advice: &'static str,
    /// Seconds before the end at which it is told.
    thresholds: &'static [i64],
}

const CERTIFICATES: &[i64] = &[30 * DAY, 7 * DAY, DAY, 0];
/// Many lists are made anew every day.
const LISTS: &[i64] = &[HOUR, 0];
const DAY: i64 = 24 * HOUR;
const HOUR: i64 = 60 * MINUTE;
const MINUTE: i64 = 60;

impl Ending<'_> {
    /// Of a certificate that clients are shown.
    pub(super) fn certificate(identity: &Identity, now: i64) -> Ending<'_> {
        Ending {
            path: &identity.path,
            what: "certificate",
            names: Some(Covered(identity)),
            left: identity.not_after - now,
            advice: "renew it",
            thresholds: CERTIFICATES,
        }
    }

    /// Of a certificate that a back-end is shown; times are seconds since the epoch.
    pub(super) fn shown(path: &Path, until: i64, now: i64) -> Ending<'_> {
        let (what, advice) = ("certificate for back-ends", "renew it");
        Ending { path, what, names: None, left: until - now, advice, thresholds: CERTIFICATES }
    }

    /// Of a list of revoked certificates.
    pub(super) fn revoked(path: &Path, until: i64, now: i64) -> Ending<'_> {
        let what = "list of revoked certificates";
        let advice = "renew it, no certificate of a client counts without it";
        Ending { path, what, names: None, left: until - now, advice, thresholds: LISTS }
    }

    /// How many thresholds are behind it.
    fn passed(&self) -> usize {
        self.thresholds.iter().filter(|&&threshold| self.left <= threshold).count()
    }

    /// Tells of it, once at each threshold.
    pub(super) fn warn(&self, warned: &mut Warned, say: Say<'_>) {
        let (passed, before) = (self.passed(), warned.get(self));
        if passed == before {
            return;
        }
        warned.0.entry(self.what).or_default().insert(self.path.to_owned(), passed);
        match (passed > before, self.left) {
            // It has been renewed.
            (false, _) => {}
            (true, ..=0) => say(News::Bad, format_args!("{self}")),
            (true, _) => say(News::Warning, format_args!("{self}")),
        }
    }
}

impl fmt::Display for Ending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.what, self.path.display())?;
        match self.left {
            ..=0 => f.write_str("has run out")?,
            left @ ..HOUR => write!(f, "runs out in {} min", left / MINUTE)?,
            left @ ..DAY => write!(f, "runs out in {} h", left / HOUR)?,
            left => write!(f, "runs out in {} days", left / DAY)?,
        }
        if let Some(names) = &self.names {
            names.fmt(f)?;
        }
        write!(f, "; {}", self.advice)
    }
}

/// ` (a.example)`, or how many there are.
pub(super) struct Covered<'a>(pub(super) &'a Identity);

impl fmt::Display for Covered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0.names {
            [] => Ok(()),
            [name] => write!(f, " ({name})"),
            [name, others @ ..] => write!(f, " ({name} and {} more)", others.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_once_at_each_threshold() {
        let mut warned = Warned::default();
        let mut told = Vec::new();
        let mut check = |left: i64, expect: &[(News, &str)]| {
            told.clear();
            let mut say = |news: News, text: fmt::Arguments<'_>| told.push((news, text.to_string()));
            Ending::shown(Path::new("x"), left, 0).warn(&mut warned, &mut say);
            let expect: Vec<_> = expect
                .iter()
                .map(|(news, text)| (*news, format!("certificate for back-ends x {text}; renew it")))
                .collect();
            assert_eq!(told, expect, "{left}");
        };
        check(31 * DAY, &[]);
        check(30 * DAY - 1, &[(News::Warning, "runs out in 29 days")]);
        check(8 * DAY, &[]);
        check(3 * HOUR, &[(News::Warning, "runs out in 3 h")]);
        check(3 * MINUTE, &[]);
        check(-1, &[(News::Bad, "has run out")]);
        check(-DAY, &[]);
        // Renewed, and then again.
        check(90 * DAY, &[]);
        check(5 * MINUTE, &[(News::Warning, "runs out in 5 min")]);
    }

    #[test]
    fn a_file_that_was_read_at_different_times_is_told_of_once() {
        let mut warned = Warned::default();
        let mut check = |own: &[i64], expect: &[&str]| {
            let mut told = Vec::new();
            let path = Path::new("x");
            let lists = [Ending::revoked(path, 90 * DAY, 0)];
            let all = own.iter().map(|&left| Ending::shown(path, left, 0)).chain(lists);
            warned.tell(all, &mut |_, text| told.push(text.to_string()));
            let expect: Vec<_> =
                expect.iter().map(|text| format!("certificate for back-ends x {text}; renew it")).collect();
            assert_eq!(told, expect, "{own:?}");
        };
        check(&[90 * DAY, 3 * DAY], &["runs out in 3 days"]);
        check(&[90 * DAY, 3 * DAY], &[]);
        check(&[3 * DAY, 90 * DAY], &[]);
        check(&[-1, 90 * DAY], &["has run out"]);
        check(&[90 * DAY, 90 * DAY], &[]);
        check(&[90 * DAY, 3 * DAY], &["runs out in 3 days"]);
    }
}
