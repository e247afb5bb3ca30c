//! The keeper: a process that kept the right to read keys, and hands their content to one that gave it up.
//!
//! ```text
//!   serving process                       keeper (root, sees the whole disk)
//!       look, or the n-th file of a name ──▶
//!                    what there is, or content ◀──
//! ```
//!
//! The serving process reads what strangers send, so the keeper believes nothing that it says. It can only point into
//! the list that the keeper itself made of the plan; there is no path in a question. Of a file it gets the sections of PEM
//! that it is about, and of an OCSP answer what can be read as one: should somebody who has taken over the serving process
//! be able to put a link among the certificates, it still shows him no file of another kind. A file that is broken is as
//! broken for the serving process as if it had read it itself. The keeper ends with its line.
//!
//! The line begins with one byte, which says that the keeper is set up.

use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{Content, Mark, Part};
use super::pem::{self, Wanted};
use super::source::{Found, Kind, Named, Names};
use super::x509;
use crate::limits;

/// A question: what is asked, and two numbers.
type Question = [u8; 9];

const READY: u8 = b'k';
const LOOK: u8 = b'l';
const LOAD: u8 = b'r';

/// Answers until the other side is gone.
pub fn keep(names: &Names, mut line: UnixStream) {
    if line.write_all(&[READY]).is_err() {
        return;
    }
    let mut told: Option<Vec<Found>> = None;
    let mut question: Question = [0; 9];
    while line.read_exact(&mut question).is_ok() {
        let mut answer = Answer::default();
        let number = |at: usize| {
            let bytes = question[at..at + 4].try_into().unwrap_or([0xff; 4]);
            u32::from_le_bytes(bytes) as usize
        };
        match question[0] {
            LOOK => {
                let found: Vec<Found> = names.all().iter().map(Named::find).collect();
                let is_news = told.as_ref() != Some(&found);
                answer.flag(is_news);
                if is_news {
                    found.iter().for_each(|found| answer.found(found));
                    told = Some(found);
                }
            }
            LOAD => {
                let named = names.all().get(number(1));
                let found = told.as_ref().and_then(|told| told.get(number(1))?.as_ref().ok()?.get(number(5)));
                match named.zip(found) {
                    Some((named, (path, _))) => answer.content(&plain(named.load(path), named.kind)),
                    // Whoever asks for what is not there has no good in mind.
                    None => return,
                }
            }
            _ => return,
        }
        let Some(answer) = answer.finish() else { return };
        if line.write_all(&answer).is_err() {
            return;
        }
    }
}

/// What of a content may be known outside.
fn plain(mut content: Content, kind: Kind) -> Content {
    let own = match kind {
        Kind::Certificates | Kind::Certificate => Wanted::Pair,
        Kind::List => Wanted::Public,
    };
    for (part, wanted) in [(&mut content.pem, own), (&mut content.key, Wanted::Key)] {
        if let Some(read) = part.take() {
            *part = Some(read.and_then(|bytes| pem::only(wanted, &bytes)));
        }
    }
    if let Some(Ok(bytes)) = &mut content.staple
        && x509::staple_until(bytes).is_none()
    {
        bytes.clear();
    }
    content
}

/// The serving process' end.
pub(crate) struct Line {
    names: Names,
    /// `None` once anything has gone wrong: an answer that comes late must not be taken for that to the next question.
    stream: Option<UnixStream>,
    /// What the keeper has told last.
    found: Arc<[Found]>,
}

impl Line {
    /// To a keeper of these names, as soon as it is set up.
    ///
    /// # Errors
    /// It is gone already, or takes too long.
    pub(crate) fn new(names: Names, stream: UnixStream) -> io::Result<Line> {
        stream.set_read_timeout(Some(limits::KEEPER_ANSWER))?;
        stream.set_write_timeout(Some(limits::KEEPER_ANSWER))?;
        let mut ready = [0];
        (&stream).read_exact(&mut ready).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::other("it has ended at once"),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => io::Error::other("it does not answer"),
            _ => error,
        })?;
        match ready {
            [READY] => Ok(Line { names, stream: Some(stream), found: Arc::default() }),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// What ends it at once when it is dropped, whoever waits for an answer.
    pub(super) fn end(&self) -> Option<End> {
        self.stream.as_ref()?.try_clone().ok().map(End)
    }

    pub(super) fn look(&mut self) -> io::Result<Arc<[Found]>> {
        let bytes = self.ask([LOOK, 0, 0, 0, 0, 0, 0, 0, 0])?;
        let mut reader = Reader(&bytes);
        let news = match reader.flag() {
            Ok(false) => None,
            Ok(true) => Some(self.names.all().iter().map(|_| reader.found()).collect::<io::Result<_>>()),
            Err(error) => Some(Err(error)),
        };
        if let Some(news) = news {
            self.found = news.inspect_err(|_| self.close())?;
        }
        Ok(self.found.clone())
    }

    pub(super) fn load(&mut self, named: &Named, path: &Path) -> Content {
        let place = self.names.place(named).and_then(|name| {
            let files = self.found.get(name)?.as_ref().ok()?;
            let file = files.binary_search_by(|(file, _)| (**file).cmp(path)).ok()?;
            Some((u32::try_from(name).ok()?, u32::try_from(file).ok()?))
        });
        let Some((name, file)) = place else {
            return Content::unread(path, "it was not there when it was looked for");
        };
        let mut question: Question = [0; 9];
        question[0] = LOAD;
        question[1..5].copy_from_slice(&name.to_le_bytes());
        question[5..9].copy_from_slice(&file.to_le_bytes());
        let content = self.ask(question).and_then(|bytes| Reader(&bytes).content(path));
        content.unwrap_or_else(|_| {
            self.close();
            Content::unread(path, "the process that reads it is gone, or does not answer")
        })
    }

    fn ask(&mut self, question: Question) -> io::Result<Vec<u8>> {
        let answer = self.exchange(question);
        if answer.is_err() {
            self.close();
        }
        answer
    }

    fn exchange(&mut self, question: Question) -> io::Result<Vec<u8>> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        stream.write_all(&question)?;
        let mut len = [0; 4];
        stream.read_exact(&mut len)?;
        let mut bytes = vec![0; u32::from_le_bytes(len) as usize];
        stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// For good; the keeper ends, however many hold this end.
    fn close(&mut self) {
        drop(self.stream.take().map(End));
    }
}

/// Ends a line when it is dropped.
#[derive(Debug)]
pub(crate) struct End(UnixStream);

impl Drop for End {
    fn drop(&mut self) {
        // One that has ended before is as well.
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

/// An answer: its length, and values one behind the other.
struct Answer(Vec<u8>);

impl Default for Answer {
    fn default() -> Self {
        Answer(vec![0; 4])
    }
}

impl Answer {
    /// `None` if it is too long: of each file there are three parts of at most `limits::PEM_BYTES`, and of names at most
    /// what directories hold, so it is not.
    fn finish(mut self) -> Option<Vec<u8>> {
        let len = u32::try_from(self.0.len() - 4).ok()?;
        self.0[..4].copy_from_slice(&len.to_le_bytes());
        Some(self.0)
    }

    fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn mark(&mut self, mark: &Mark) {
        for look in mark {
            self.flag(look.is_some());
            look.iter().flatten().for_each(|number| self.0.extend_from_slice(&number.to_le_bytes()));
        }
    }

    fn found(&mut self, found: &Found) {
        self.flag(found.is_ok());
        match found {
            Ok(files) => {
                self.0.extend_from_slice(&(files.len() as u64).to_le_bytes());
                for (path, mark) in files {
                    self.bytes(path.as_os_str().as_bytes());
                    self.mark(mark);
                }
            }
            Err(reason) => self.bytes(reason.as_bytes()),
        }
    }

    fn part(&mut self, part: &Part) {
        self.flag(part.is_some());
        if let Some(part) = part {
            self.flag(part.is_ok());
            self.bytes(part.as_deref().unwrap_or_else(|reason| reason.as_bytes()));
        }
    }

    fn content(&mut self, content: &Content) {
        self.mark(&content.mark);
        [&content.pem, &content.key, &content.staple].into_iter().for_each(|part| self.part(part));
        content.exposed.into_iter().for_each(|exposed| self.flag(exposed));
    }
}

/// Reads an answer.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(io::ErrorKind::InvalidData)?;
        self.0 = rest;
        Ok(taken)
    }

    fn flag(&mut self) -> io::Result<bool> {
        Ok(self.take(1)? != [0])
    }

    fn number(&mut self) -> io::Result<u64> {
        let bytes = self.take(8)?.try_into().map_err(io::Error::other)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let len = self.number()?;
        self.take(len as usize).map(<[u8]>::to_vec)
    }

    fn text(&mut self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    fn mark(&mut self) -> io::Result<Mark> {
        let mut mark = [None; 3];
        for look in &mut mark {
            if self.flag()? {
                *look = Some([self.number()?, self.number()?, self.number()?, self.number()?]);
            }
        }
        Ok(mark)
    }

    fn found(&mut self) -> io::Result<Found> {
        if !self.flag()? {
            return Ok(Err(self.text()?));
        }
        let mut files = Vec::new();
        for _ in 0..self.number()? {
            let path = PathBuf::from(std::ffi::OsString::from_vec(self.bytes()?));
            files.push((path, self.mark()?));
        }
        Ok(Ok(files))
    }

    fn part(&mut self) -> io::Result<Part> {
        Ok(match self.flag()? {
            false => None,
            true if self.flag()? => Some(Ok(self.bytes()?)),
            true => Some(Err(self.text()?)),
        })
    }

    fn content(&mut self, path: &Path) -> io::Result<Content> {
        Ok(Content {
            path: path.to_owned(),
            mark: self.mark()?,
            pem: self.part()?,
            key: self.part()?,
            staple: self.part()?,
            exposed: [self.flag()?, self.flag()?],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::source::{Kind, Source};

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

    fn names(names: &[(&Path, Kind)]) -> Names {
        let named = |(path, kind): &(&Path, Kind)| Named { path: path.to_path_buf(), kind: *kind };
        Names::from_iter(names.iter().map(named))
    }

    /// A keeper of these names in a thread, and the other end of its line.
    fn kept(names: &Names) -> (Source, UnixStream, std::thread::JoinHandle<()>) {
        let (ours, its) = UnixStream::pair().unwrap();
        let own = names.clone();
        let keeper = std::thread::spawn(move || keep(&own, its));
        let raw = ours.try_clone().unwrap();
        (Source::Keeper(Line::new(names.clone(), ours).unwrap()), raw, keeper)
    }

    #[test]
    fn the_keeper_sees_what_we_would_see() {
        let home = tempfile::tempdir().unwrap();
        let (certificates, list) = (home.path().join("certs"), home.path().join("ca.pem"));
        std::fs::create_dir(&certificates).unwrap();
        for name in ["b.pem", "a.pem", "a.key"] {
            std::fs::write(certificates.join(name), PEM.to_owned() + KEY).unwrap();
        }
        std::fs::write(certificates.join("a.pem"), PEM).unwrap();
        let missing = home.path().join("none/*.pem");
        let names = names(&[
            (&certificates, Kind::Certificates),
            (&list, Kind::List),
            (&missing, Kind::Certificates),
        ]);
        let (mut source, raw, keeper) = kept(&names);
        for content in [None, Some("x"), Some("x")] {
            if let Some(content) = content {
                std::fs::write(&list, content).unwrap();
            }
            assert_eq!(source.look(&names), Source::Own.look(&names));
        }
        let file = certificates.join("a.pem");
        let content = source.load(&names.all()[0], &file);
        assert_eq!(content.pem().unwrap(), PEM.as_bytes());
        assert_eq!(content.key, Some(Ok(KEY.into())));
        assert_eq!(content.staple, None);
        assert_eq!(content.mark, Source::Own.load(&names.all()[0], &file).mark);
        drop((source, raw));
        keeper.join().unwrap();
    }

    #[test]
    fn what_is_no_pem_is_not_handed_over() {
        let home = tempfile::tempdir().unwrap();
        let (list, pair) = (home.path().join("list.pem"), home.path().join("pair.pem"));
        std::fs::write(&list, format!("root:$6$secret:1\n{PEM}root:x\n{KEY}")).unwrap();
        std::fs::write(&pair, PEM).unwrap();
        std::fs::write(pair.with_extension("ocsp"), "root:$6$secret:1").unwrap();
        let names = names(&[(&list, Kind::List), (&pair, Kind::Certificate)]);
        let (mut source, ..) = kept(&names);
        source.look(&names).unwrap();
        assert_eq!(source.load(&names.all()[0], &list).pem().unwrap(), PEM.as_bytes());
        assert_eq!(source.load(&names.all()[1], &pair).staple, Some(Ok(Vec::new())));
        // A file that was cut is not taken for a shorter one.
        std::fs::write(&list, format!("{PEM}{}", &PEM[..40])).unwrap();
        let refusal = source.load(&names.all()[0], &list).pem().unwrap_err().to_string();
        assert!(refusal.contains("\"CERTIFICATE\" does not end"), "{refusal}");
    }

    #[test]
    fn what_comes_late_is_no_answer_to_the_next_question() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("a.pem");
        std::fs::write(&file, PEM).unwrap();
        let names = names(&[(&file, Kind::Certificate)]);
        let (ours, mut its) = UnixStream::pair().unwrap();
        its.write_all(&[READY]).unwrap();
        let mut line = Line::new(names.clone(), ours.try_clone().unwrap()).unwrap();
        ours.set_read_timeout(Some(std::time::Duration::from_millis(1))).unwrap();
        assert!(line.look().is_err());
        // One that would be good.
        let mut answer = Answer::default();
        answer.flag(false);
        assert!(its.write_all(&answer.finish().unwrap()).is_err());
        assert!(line.look().is_err());
        assert!(line.load(&names.all()[0], &file).pem().is_err());
        // What it was asked first, and nothing behind.
        let mut asked = Vec::new();
        its.read_to_end(&mut asked).unwrap();
        assert_eq!(asked.len(), size_of::<Question>());
    }

    #[test]
    fn whoever_waits_for_an_answer_can_be_called_back() {
        let names = names(&[(Path::new("/a.pem"), Kind::Certificate)]);
        let (ours, mut its) = UnixStream::pair().unwrap();
        its.write_all(&[READY]).unwrap();
        let mut line = Line::new(names, ours).unwrap();
        let end = line.end().unwrap();
        let waiting = std::thread::spawn(move || line.look().is_err());
        its.read_exact(&mut [0; size_of::<Question>()]).unwrap();
        drop(end);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn a_keeper_that_has_gone_before_it_was_set_up_is_none() {
        let (ours, its) = UnixStream::pair().unwrap();
        drop(its);
        assert!(Line::new(Names::default(), ours).is_err());
    }

    #[test]
    fn whoever_asks_for_anything_else_gets_nothing() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("a.pem");
        std::fs::write(&file, PEM).unwrap();
        let names = names(&[(&file, Kind::Certificate)]);
        for question in [
            [b'x', 0, 0, 0, 0, 0, 0, 0, 0],
            // Before anything was listed.
            [LOAD, 0, 0, 0, 0, 0, 0, 0, 0],
            [LOAD, 1, 0, 0, 0, 0, 0, 0, 0],
            [LOAD, 0, 0, 0, 0, 1, 0, 0, 0],
            [LOAD, 255, 255, 255, 255, 255, 255, 255, 255],
        ] {
            let (mut source, mut raw, keeper) = kept(&names);
            if question[1..] != [0; 8] {
                source.look(&names).unwrap();
            }
            raw.write_all(&question).unwrap();
            keeper.join().unwrap();
            assert_eq!(raw.read(&mut [0]).unwrap(), 0, "{question:?}");
            assert!(source.look(&names).is_none());
            let content = source.load(&names.all()[0], &file);
            assert!(content.pem().is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn a_damaged_answer_is_read_or_refused(bytes: Vec<u8>) {
            let _ = Reader(&bytes).found();
            let _ = Reader(&bytes).content(Path::new("x"));
        }
    }
}
