//! Reads certificates and keys from files, and judges what is in them.
//!
//! The two are apart: who reads may be another process, which has the right to, see `source`.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plan::tls::FileName;
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::pem;
use super::token::{PublicKey, Signing, Token, TokenKey};
use super::x509;
use crate::limits;

/// What is wrong with a file, as the end of a sentence.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The file itself, where the configuration names a directory or a pattern.
    pub(super) path: PathBuf,
    /// Why it cannot be used, and what to do.
    pub(super) reason: String,
    /// Whether it may pass without a change of the file.
    pub(super) may_pass: bool,
}

impl Refusal {
    pub(super) fn new(path: &Path, reason: impl Into<String>) -> Refusal {
        Refusal { path: path.to_owned(), reason: reason.into(), may_pass: false }
    }

    /// One of a certificate whose private key the token does not have.
    pub(super) fn no_key(path: &Path, reason: &str) -> Refusal {
        let beside = path.with_extension(&KEY[1..]);
        let reason = format!(
            "there is no private key in it, no file {}, and SSLEngine has none: {reason}",
            beside.display()
        );
        Refusal { may_pass: true, ..Refusal::new(path, reason) }
    }

    fn read(path: &Path, error: &io::Error) -> Refusal {
        Refusal::new(path, unread(error))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

/// Why TLS cannot be had as the plan wants it.
#[derive(Debug)]
pub struct TlsError {
    name: FileName,
    reason: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.name.place, self.name.directive, self.reason)
    }
}

impl TlsError {
    pub(super) fn new(name: &FileName, refusal: &Refusal) -> TlsError {
        TlsError { name: name.clone(), reason: refusal.to_string() }
    }

    /// One that is about all of what a directive names.
    pub(super) fn whole(name: &FileName, reason: String) -> TlsError {
        TlsError { name: name.clone(), reason }
    }
}

/// A certificate with its chain and its key, and what it says.
pub(super) struct Identity {
    /// Where it came from.
    pub(super) path: PathBuf,
    pub(super) key: Arc<CertifiedKey>,
    /// The private key, if it is not in a file.
    pub(super) apart: Option<Arc<TokenKey>>,
    /// In lower case; a `*` may stand for the first label.
    pub(super) names: Vec<Box<str>>,
    pub(super) addresses: Vec<std::net::IpAddr>,
    /// Seconds since the epoch.
    pub(super) not_after: i64,
    /// Until when the OCSP answer that goes with it holds, if there is one.
    pub(super) staple_until: Option<i64>,
    /// What is not right about its files, though it can be used.
    pub(super) misgivings: Vec<String>,
    /// How the files looked just before they were read.
    pub(super) mark: Mark,
}

/// What tells that one of the files of a certificate has changed: its own, that of its key, that of its OCSP answer.
pub(super) type Mark = [Option<Look>; 3];

/// How a file looks: when it or its rights were last changed (seconds and nanoseconds), its length, its inode. A file
/// whose rights are set right is one that is worth another try.
pub(super) type Look = [u64; 4];

/// How a file looks now; `None` if it cannot be seen.
fn look(path: &Path) -> Option<Look> {
    let metadata = fs::metadata(path).ok()?;
    Some([
        metadata.ctime().cast_unsigned(),
        metadata.ctime_nsec().cast_unsigned(),
        metadata.len(),
        metadata.ino(),
    ])
}

/// How a file that stands alone looks now.
pub(super) fn mark_alone(path: &Path) -> Mark {
    [look(path), None, None]
}

/// How the files of a certificate look now.
pub(super) fn mark(path: &Path) -> Mark {
    [look(path), look(&path.with_extension(&KEY[1..])), look(&path.with_extension(&STAPLE[1..]))]
}

/// What is in a file and those beside it, as it was read.
pub(super) struct Content {
    /// Its own path.
    pub(super) path: PathBuf,
    /// How the files looked just before they were read.
    pub(super) mark: Mark,
    /// The file itself.
    pub(super) pem: Part,
    /// The key that stands beside it.
    pub(super) key: Part,
    /// The OCSP answer that stands beside it.
    pub(super) staple: Part,
    /// Whether everybody can read it, and the file of the key.
    pub(super) exposed: [bool; 2],
}

/// What is in a file; why it cannot be read; or `None` if it is not there.
pub(super) type Part = Option<Result<Vec<u8>, String>>;

/// Reads a file that stands alone.
pub(super) fn load_alone(path: &Path) -> Content {
    let mark = mark_alone(path);
    Content { path: path.to_owned(), mark, pem: part(path), key: None, staple: None, exposed: [false; 2] }
}

/// Reads a certificate and what stands beside it.
pub(super) fn load(path: &Path) -> Content {
    let mark = mark(path);
    let beside = path.with_extension(&KEY[1..]);
    let exposed =
        |path: &Path| fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0);
    Content {
        path: path.to_owned(),
        mark,
        pem: part(path),
        key: part(&beside),
        staple: part(&path.with_extension(&STAPLE[1..])),
        exposed: [exposed(path), exposed(&beside)],
    }
}

fn part(path: &Path) -> Part {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        read => Some(read.map_err(|error| unread(&error))),
    }
}

/// Opens a file. One that could be waited for, such as a pipe that took its place, is none, and what does something when
/// it is opened, as some devices do, is not opened.
pub(super) fn open(path: &Path) -> io::Result<fs::File> {
    let no_file = || io::Error::new(io::ErrorKind::Unsupported, "it is no regular file");
    if !fs::metadata(path)?.is_file() {
        return Err(no_file());
    }
    let file = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    // It may be another by now.
    if file.metadata()?.is_file() { Ok(file) } else { Err(no_file()) }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut content = Vec::new();
    file.take(limits::PEM_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limits::PEM_BYTES {
        let sentence = format!("it is larger than {} MiB", limits::PEM_BYTES / 1024 / 1024);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, sentence));
    }
    Ok(content)
}

/// Why a file was not read.
fn unread(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::FileTooLarge | io::ErrorKind::Unsupported => error.to_string(),
        _ => format!("it cannot be read: {error}"),
    }
}

impl Content {
    /// The content of the file itself.
    pub(super) fn pem(&self) -> Result<&[u8], Refusal> {
        match &self.pem {
            Some(Ok(pem)) => Ok(pem),
            Some(Err(reason)) => Err(Refusal::new(&self.path, reason.clone())),
            None => Err(Refusal::read(&self.path, &io::Error::from_raw_os_error(libc::ENOENT))),
        }
    }
}

/// Whether a `Cert` names files by a pattern.
pub(super) fn is_pattern(path: &Path) -> bool {
    path.file_name().is_some_and(|last| last.to_string_lossy().contains(['*', '?']))
}

/// The files that a `Cert` means, in order; at least one.
pub(super) fn expand(path: &Path) -> Result<Vec<PathBuf>, Refusal> {
    let last = path.file_name().map(|last| last.to_string_lossy().into_owned()).unwrap_or_default();
    let (directory, pattern) = if is_pattern(path) {
        (path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")), &*last)
    } else if fs::metadata(path).map_err(|error| Refusal::read(path, &error))?.is_dir() {
        (path, "*")
    } else {
        return Ok(vec![path.to_owned()]);
    };
    let mut files = Vec::new();
    let entries = fs::read_dir(directory).map_err(|error| Refusal::read(directory, &error))?;
    for entry in entries.take(limits::CERTIFICATE_ENTRIES) {
        let entry = entry.map_err(|error| Refusal::read(directory, &error))?;
        let file = entry.file_name().to_string_lossy().into_owned();
        // What stands beside a certificate is read with it; hidden files are an editor's or a tool's.
        let beside = [KEY, STAPLE].iter().any(|end| file.ends_with(end));
        if !beside
            && !file.starts_with('.')
            && matches(pattern.as_bytes(), file.as_bytes())
            && entry.path().is_file()
        {
            files.push(entry.path());
        }
    }
    if files.is_empty() {
        return Err(Refusal::new(path, "there is no file in it"));
    }
    if files.len() > limits::CERTIFICATES {
        return Err(Refusal::new(path, format!("more than {} files are in it", limits::CERTIFICATES)));
    }
    files.sort();
    Ok(files)
}

/// How the file of a key ends that stands beside its certificate.
const KEY: &str = ".key";
/// How the file of an OCSP answer ends that stands beside its certificate.
const STAPLE: &str = ".ocsp";

/// Whether `text` is as `pattern` says, where `*` stands for anything and `?` for one byte.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', pattern @ ..], text) => (0..=text.len()).any(|skip| matches(pattern, &text[skip..])),
        ([b'?', pattern @ ..], [_, text @ ..]) => matches(pattern, text),
        ([one, pattern @ ..], [other, text @ ..]) => one == other && matches(pattern, text),
        _ => false,
    }
}

/// Makes of its files a certificate with its chain and its key. A key that is in no file is taken to be in the token, if
/// there is one; whether it is, the token has not been asked.
pub(super) fn identity(
    content: &Content,
    provider: &CryptoProvider,
    token: Option<&Arc<Token>>,
    now: i64,
) -> Result<Identity, Refusal> {
    let path = &*content.path;
    let refuse = |reason: String| Refusal::new(path, reason);
    let mut misgivings = Vec::new();
    let pem = content.pem()?;
    let chain = certificates(path, pem)?;
    let Some(first) = chain.first() else {
        return Err(refuse("there is no certificate in it; PEM is expected".into()));
    };
    let read = x509::parse(first).ok_or_else(|| refuse("its first certificate cannot be read".into()))?;
    let mut names: Vec<Box<str>> = read.names.iter().map(|name| name.to_ascii_lowercase().into()).collect();
    // RFC 9525 looks at alternative names alone; certificates of one's own making often have none.
    if names.is_empty()
        && read.addresses.is_empty()
        && let Some(name) = read.subject.common_name().and_then(|name| std::str::from_utf8(name).ok())
    {
        names.push(name.to_ascii_lowercase().into());
    }
    let (addresses, not_before, not_after) = (read.addresses.clone(), read.not_before, read.not_after);
    if not_before > now {
        misgivings.push(format!("the certificate in {} does not hold yet", path.display()));
    }
    let mut apart = None;
    let signer: Arc<dyn SigningKey> = match (key(content, pem)?, token) {
        (Some((key, holder, exposed)), _) => {
            if exposed {
                misgivings
                    .push(format!("everybody can read the private key in {}; chmod o-r", holder.display()));
            }
            provider.key_provider.load_private_key(key).map_err(|_| {
                refuse("its private key is of a kind that is not supported; use ECDSA (P-256, P-384, P-521), RSA of 2048 bits or more, or Ed25519".into())
            })?
        }
        (None, Some(token)) => {
            let public = PublicKey::new(&read.key).ok_or_else(|| {
                refuse("it has no private key, and its public one is of a kind that is not looked for in the token of SSLEngine; use ECDSA (P-256, P-384, P-521) or RSA of 2048 to 8192 bits".into())
            })?;
            let key = Arc::new(TokenKey::new(token.clone(), public));
            apart = Some(key.clone());
            Arc::new(Signing(key))
        }
        (None, None) => {
            let beside = path.with_extension(&KEY[1..]);
            return Err(refuse(format!("there is no private key in it, and no file {}", beside.display())));
        }
    };
    let mut key = CertifiedKey::new(chain, signer);
    match key.keys_match() {
        // Unknown: the key cannot tell its public half, and signatures will show.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(_) => {
            return Err(refuse("its private key does not belong to its first certificate".into()));
        }
    }
    let staple = staple(content, now, &mut misgivings);
    let staple_until = staple.as_ref().map(|(_, until)| *until);
    key.ocsp = staple.map(|(staple, _)| staple);
    Ok(Identity {
        path: path.to_owned(),
        key: Arc::new(key),
        apart,
        names,
        addresses,
        not_after,
        staple_until,
        misgivings,
        mark: content.mark,
    })
}

/// The OCSP answer that stands beside a certificate, and until when it holds. One that is no good is left out: a client
/// takes a missing answer for what it is, and a bad one for an attack.
fn staple(content: &Content, now: i64, misgivings: &mut Vec<String>) -> Option<(Vec<u8>, i64)> {
    let beside = content.path.with_extension(&STAPLE[1..]);
    let file = beside.display();
    let staple = match content.staple.as_ref()? {
        Ok(staple) => staple.clone(),
        Err(reason) => {
            misgivings.push(format!("{file}: {reason}; no OCSP answer is sent"));
            return None;
        }
    };
    match x509::staple_until(&staple) {
        Some(until) if until > now => Some((staple, until)),
        Some(_) => {
            misgivings.push(format!("the OCSP answer in {file} has run out and is not sent; get a new one"));
            None
        }
        None => {
            misgivings.push(format!("there is no good OCSP answer in {file}; none is sent"));
            None
        }
    }
}

/// All certificates of a file.
pub(super) fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Refusal> {
    CertificateDer::pem_slice_iter(pem)
        .take(limits::CERTIFICATES + 1)
        .collect::<Result<_, _>>()
        .map_err(|error| Refusal::new(path, pem::no_pem(&error)))
}

/// The private key in the file, or in the one beside it; which it was, and whether everybody can read that. `None` if
/// there is none in either.
fn key(content: &Content, pem: &[u8]) -> Result<Option<(PrivateKeyDer<'static>, PathBuf, bool)>, Refusal> {
    let path = &*content.path;
    let [exposed, exposed_beside] = content.exposed;
    if let Ok(key) = PrivateKeyDer::from_pem_slice(pem) {
        return Ok(Some((key, path.to_owned(), exposed)));
    }
    if pem::is_encrypted(pem) {
        return Err(Refusal::new(
            path,
            "its private key is encrypted; nobody is there to type the word, so decrypt it (openssl pkey)",
        ));
    }
    let beside = path.with_extension(&KEY[1..]);
    let pem = match &content.key {
        Some(Ok(pem)) => pem,
        None => return Ok(None),
        Some(Err(reason)) => return Err(Refusal::new(&beside, reason.clone())),
    };
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(Some((key, beside, exposed_beside))),
        Err(_) => {
            Err(Refusal::new(&beside, "there is no private key in it; PEM without a password is expected"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        let check = |pattern: &str, text: &str, expect| {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expect, "{pattern} {text}");
        };
        check("*", "", true);
        check("*.pem", "a.pem", true);
        check("*.pem", "a.pem.bak", false);
        check("a?c", "abc", true);
        check("a?c", "ac", false);
        check("*a*b*", "xaxbx", true);
        check("*a*b*", "xbxax", false);
    }
}
