//! What the supervisor reads again before it starts another serving process.
//!
//! The one that died has followed its files. The supervisor has not: what it holds is as old as its own start, and a deny
//! list of that time would let in those whom a later one keeps out. It still has the rights and the sight of the disk that
//! reading needs, which a serving process has given up.

use std::path::Path;

use crate::limits;
use crate::log::Severity;
use crate::reload::Prepared;
use crate::tls::{self, Names, News};
use crate::watched::{self, Look};

impl Prepared {
    /// Reads everything again that is followed while we serve. Certificates that cannot be used are said, and those that
    /// were read before go on. To be called in a process with one thread; blocks for a moment, until the files look settled.
    ///
    /// # Errors
    /// A sentence for each list of patterns, addresses, authorities or revoked certificates that cannot be used now.
    /// Serving would let in by an older one whom the last one has kept out.
    pub fn read_again(&self, say: &mut dyn FnMut(Severity, &str)) -> Result<(), Vec<String>> {
        let plan = self.plan();
        let names = self.tls_files();
        let watched = || plan.watched.iter().filter_map(|content| Some((content, content.path()?)));
        if watched().next().is_none() && names.is_empty() {
            return Ok(());
        }
        let paths: Vec<&Path> = watched().map(|(_, path)| path).collect();
        settle(&paths, &names)?;

        let mut wrong = Vec::new();
        for (content, path) in watched() {
            wrong.extend(watched::read(&**content, path).err().into_iter().flatten());
        }
        let connectors: Vec<_> = self.running.backends.iter().filter_map(|live| live.tls.clone()).collect();
        let now = self.clock.wall().as_secs() as i64;
        wrong.extend(tls::read_lists_again(&self.running.tls, &connectors, now));
        if !wrong.is_empty() {
            return Err(wrong);
        }

        let mut news = |news: News, sentence: std::fmt::Arguments<'_>| match news {
            News::Good => say(Severity::Notice, &sentence.to_string()),
            News::Bad => say(
                Severity::Error,
                &format!(
                    "{sentence}: the one that the supervisor has read, which may be older than the last in use"
                ),
            ),
            // The serving process will say it itself.
            News::Warning => {}
        };
        tls::read_certificates_again(plan, &self.running.tls, connectors, now, &mut news);
        Ok(())
    }
}

/// Waits until the files look the same twice: programs write in pieces, and half a deny list is a list without an error.
fn settle(paths: &[&Path], names: &Names) -> Result<(), Vec<String>> {
    let look = || (paths.iter().map(|path| Look::at(path)).collect::<Vec<_>>(), names.look());
    let mut before = look();
    for _ in 0..limits::WATCHED_LOOKS {
        std::thread::sleep(limits::WATCHED_SETTLES);
        let now = look();
        if now == before {
            return Ok(());
        }
        before = now;
    }
    Err(vec!["the files that it follows (-filewatch, TLS) are being written all the time".into()])
}
