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
    /// There is no certificate in it at all: it is another's file.
    pub(super) is_foreign: bool,
}

impl Refusal {
    pub(super) fn new(path: &Path, reason: impl Into<String>) -> Refusal {
        Refusal { path: path.to_owned(), reason: reason.into(), may_pass: false, is_foreign: false }
    }

    /// One of a certificate whose private key the token does not have.
    pub(super) fn no_key(path: &Path, reason: &str) -> Refusal {
        let beside = beside(path);
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
    [look(path), look(&beside(path)), look(&path.with_extension(&STAPLE[1..]))]
}

/// A certificate's files: its own, that of its key, that of its OCSP answer.
pub(super) fn all_of(path: &Path) -> [PathBuf; 3] {
    [path.to_owned(), beside(path), path.with_extension(&STAPLE[1..])]
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
    Content { path: path.to_owned(), mark, pem: tidy(path), key: None, staple: None, exposed: [false; 2] }
}

/// Reads a certificate and what stands beside it.
pub(super) fn load(path: &Path) -> Content {
    let mark = mark(path);
    let beside = beside(path);
    let exposed =
        |path: &Path| fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0);
    Content {
        path: path.to_owned(),
        mark,
        pem: tidy(path),
        key: tidy(&beside),
        staple: part(&path.with_extension(&STAPLE[1..])),
        exposed: [exposed(path), exposed(&beside)],
    }
}

/// A file of PEM, made tidy.
fn tidy(path: &Path) -> Part {
    part(path).map(|read| read.and_then(|bytes| pem::tidy(&bytes)))
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
    read_file(path, limits::PEM_BYTES)
}

/// Reads a file of at most `max` bytes; see [`open`].
pub(crate) fn read_file(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut content = Vec::new();
    file.take(max + 1).read_to_end(&mut content)?;
    if content.len() as u64 > max {
        let sentence = format!("it is larger than {} MiB", max / 1024 / 1024);
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

/// What certbot and others call the files of a certificate in a directory of its own: the certificate with its chain, the
/// certificate alone, and the key of both.
const OWN_FILES: [&str; 2] = [FULL_CHAIN, "cert.pem"];
const FULL_CHAIN: &str = "fullchain.pem";
const OWN_KEY: &str = "privkey.pem";

/// The file of the key that stands beside a certificate: `NAME.key`, or what stands in a directory of its own.
fn beside(path: &Path) -> PathBuf {
    let own = OWN_FILES.iter().any(|own| path.ends_with(own)).then(|| path.with_file_name(OWN_KEY));
    own.filter(|own| own.exists()).unwrap_or_else(|| path.with_extension(&KEY[1..]))
}

/// The certificate of a directory of its own, if this is one.
fn own_certificate(directory: &Path) -> Option<PathBuf> {
    let chain = directory.join(FULL_CHAIN);
    (chain.is_file() && directory.join(OWN_KEY).exists()).then_some(chain)
}

/// Whether a listener can start without a file of `Cert` that was refused: one of several, where the configuration has not
/// named that one. It cannot if it was to be the first certificate of all, which is for those who ask for no name or for one
/// that is not there: they would get another. A file without a certificate was never to be that.
pub(super) fn is_dispensable(name: &FileName, refusal: &Refusal, is_first: bool) -> bool {
    let is_many = is_pattern(&name.path) || name.path.is_dir() && own_certificate(&name.path).is_none();
    is_many && (refusal.is_foreign || !is_first)
}

/// Said of a `Cert` of whose files none can be used.
pub(super) fn none_left(name: &FileName) -> Refusal {
    Refusal::new(&name.path, "there is no certificate with its key in it that can be used")
}

/// That a file was passed over.
pub(super) struct PassedOver<'a>(pub(super) &'a Refusal);

impl fmt::Display for PassedOver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; it is passed over, the other certificates are shown", self.0)
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
        if let Some(own) = own_certificate(path) {
            return Ok(vec![own]);
        }
        (path, "*")
    } else {
        return Ok(vec![path.to_owned()]);
    };
    let mut files = Vec::new();
    let (mut directories, mut keyless) = (false, None);
    let entries = fs::read_dir(directory).map_err(|error| Refusal::read(directory, &error))?;
    for entry in entries.take(limits::CERTIFICATE_ENTRIES) {
        let entry = entry.map_err(|error| Refusal::read(directory, &error))?;
        let file = entry.file_name().to_string_lossy().into_owned();
        // What stands beside a certificate is read with it; hidden files are an editor's or a tool's.
        let beside = [KEY, STAPLE].iter().any(|end| file.ends_with(end));
        if beside || file.starts_with('.') || !matches(pattern.as_bytes(), file.as_bytes()) {
            continue;
        }
        let path = entry.path();
        if path.is_file() {
            files.push(path);
        } else if let Some(own) = own_certificate(&path) {
            directories = true;
            files.push(own);
        } else {
            keyless = keyless.or_else(|| Some(path.join(FULL_CHAIN)).filter(|chain| chain.is_file()));
        }
    }
    if directories {
        // Certbot writes it beside the directories of its certificates.
        files.retain(|file| !file.ends_with("README"));
    }
    if files.is_empty() {
        return Err(Refusal::new(
            path,
            match keyless {
                Some(chain) => format!("{} has no {OWN_KEY} beside it", chain.display()),
                None => "there is no file in it".into(),
            },
        ));
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
        return Err(Refusal { is_foreign: true, ..refuse(none("certificate", pem)) });
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
            let reason = match pem::instead(pem) {
                Some(_) => none("private key", pem),
                None => format!("there is no private key in it, and no file {}", beside(path).display()),
            };
            return Err(refuse(reason));
        }
    };
    // The key may not tell its public half; then signatures will show.
    if let Some(public) = signer.public_key()
        && let Some(own) = x509::Key::alone(&public)
        && own.bits != read.key.bits
    {
        let fits =
            |der: &CertificateDer<'_>| x509::parse(der).is_some_and(|other| other.key.bits == own.bits);
        return Err(refuse(match chain.iter().position(fits) {
            Some(place) => format!(
                "its private key does not belong to its first certificate but to number {}; put that first",
                place + 1
            ),
            None => "its private key does not belong to its first certificate".into(),
        }));
    }
    if read.version < x509::WITH_EXTENSIONS {
        misgivings.push(format!(
            "the certificate in {} is of X.509 version {}, which browsers and many others refuse; make one of version 3 (openssl req -x509 -key KEY -out NEW -addext subjectAltName=DNS:NAME, or openssl x509 -req with -extfile)",
            path.display(),
            read.version
        ));
    }
    let mut key = CertifiedKey::new(chain, signer);
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

/// That a file has none of what is looked for, and what it has instead.
pub(super) fn none(what: &str, pem: &[u8]) -> String {
    match pem::instead(pem) {
        Some(instead) => format!("there is no {what} in it but {instead}"),
        None => format!("there is no {what} in it; PEM is expected"),
    }
}

/// All certificates of a file.
pub(super) fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Refusal> {
    CertificateDer::pem_slice_iter(pem)
        .take(limits::CERTIFICATES + 1)
        .map(|read| read.map(pem::certificate))
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
        return Err(Refusal::new(path, ENCRYPTED));
    }
    let beside = beside(path);
    let pem = match &content.key {
        Some(Ok(pem)) => pem,
        None => return Ok(None),
        Some(Err(reason)) => return Err(Refusal::new(&beside, reason.clone())),
    };
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(Some((key, beside, exposed_beside))),
        Err(_) if pem::is_encrypted(pem) => Err(Refusal::new(&beside, ENCRYPTED)),
        Err(_) => Err(Refusal::new(&beside, none("private key", pem))),
    }
}

/// What is said of a key with a password.
const ENCRYPTED: &str = "its private key is encrypted, and nobody is there to type the password when pound starts; write it without one (openssl pkey -in FILE -out NEW asks for it; chmod 600 NEW)";

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
