//! PEM (RFC 7468): making files tidy that other programs wrote, writing a section, and what of a file may be known outside
//! of the process that reads it.
//!
//! What is let through was understood first, by the reader that it is meant for: so it is neither more nor less than that
//! one would find in the file itself, and what spoils the file for that one is told and not left out.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{Error, PemObject, SectionKind};

use super::x509;

/// The sections of a file as the reader of PEM knows them, and nothing of what stands between them.
///
/// OpenSSL, Windows and people with an editor write more than it reads: a byte-order mark, blanks around lines, sections
/// that begin on the line where another ends (files put together without a last newline), header fields within (RFC 1421
/// section 4.6), older labels. What is in a private key with a password is left out; that it is there is kept.
///
/// # Errors
/// It is no text: what it is instead, and what to do.
pub(super) fn tidy(bytes: &[u8]) -> Result<Vec<u8>, String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("it is written in UTF-16; save it as plain text (UTF-8)".into());
    }
    if memchr::memmem::find(bytes, BEGIN).is_none() && bytes.first() == Some(&DER_SEQUENCE) {
        return Err(match x509::parse(bytes) {
            Some(_) => "it is a certificate in DER, and PEM is expected; openssl x509 -inform DER -in FILE -out NEW",
            None => {
                "it is no PEM but looks like PKCS#12 or DER; openssl pkcs12 -in FILE -nodes -out NEW writes PEM of the one, openssl pkey -inform DER -in FILE -out NEW of a key in the other"
            }
        }
        .into());
    }
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut tidied = Vec::with_capacity(text.len());
    let mut open: Option<Section<'_>> = None;
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let mut line = line.trim_ascii();
        if let Some(section) = &mut open {
            match section.end(line) {
                None if !line.starts_with(BEGIN) => {
                    section.line(line);
                    continue;
                }
                None => {}
                Some(rest) => line = rest,
            }
            let whole = !line.starts_with(BEGIN) || section.ended;
            section.write(whole, &mut tidied);
            open = None;
        }
        if let Some(rest) = line.strip_prefix(BEGIN) {
            match rest.strip_suffix(DASHES).filter(|label| !label.ends_with(b"-")) {
                Some(label) => open = Some(Section::new(label)),
                // The reader says what is wrong with it.
                None => push(&mut tidied, &[line]),
            }
        }
    }
    if let Some(section) = open {
        section.write(false, &mut tidied);
    }
    Ok(tidied)
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// What all of DER begins with that we meet.
const DER_SEQUENCE: u8 = 0x30;
const ENCRYPTED: &[u8] = b"ENCRYPTED PRIVATE KEY";

fn push(to: &mut Vec<u8>, pieces: &[&[u8]]) {
    pieces.iter().for_each(|piece| to.extend_from_slice(piece));
    to.push(b'\n');
}

/// A section of which the first line was read.
struct Section<'a> {
    label: &'a [u8],
    lines: Vec<&'a [u8]>,
    /// Header fields are being read: they end with an empty line.
    headers: bool,
    encrypted: bool,
    /// Its last line was read.
    ended: bool,
}

impl<'a> Section<'a> {
    fn new(label: &'a [u8]) -> Section<'a> {
        let encrypted = label == ENCRYPTED;
        Section { label, lines: Vec::new(), headers: false, encrypted, ended: false }
    }

    /// What stands behind its last line, if this is it.
    fn end<'b>(&mut self, line: &'b [u8]) -> Option<&'b [u8]> {
        let rest = line.strip_prefix(END)?.strip_prefix(self.label)?.strip_prefix(DASHES)?;
        self.ended = true;
        Some(rest)
    }

    fn line(&mut self, line: &'a [u8]) {
        // No digit of base64 is a colon.
        if line.contains(&b':') {
            self.headers = true;
            self.encrypted |= line.starts_with(b"Proc-Type") && line.ends_with(b"ENCRYPTED");
        } else if self.headers {
            self.headers = !line.is_empty();
        } else if !line.is_empty() {
            self.lines.push(line);
        }
    }

    /// Writes it, if it is whole, as the reader knows it; else as it is.
    fn write(&self, whole: bool, to: &mut Vec<u8>) {
        let label = match self.label {
            _ if self.encrypted => ENCRYPTED,
            // What OpenSSL adds to the former stands behind the certificate, see `certificate`.
            b"TRUSTED CERTIFICATE" | b"X509 CERTIFICATE" => b"CERTIFICATE",
            label => label,
        };
        push(to, &[BEGIN, label, DASHES]);
        if !self.encrypted {
            self.lines.iter().for_each(|line| push(to, &[line]));
        }
        if whole {
            push(to, &[END, label, DASHES]);
        }
    }
}

/// A certificate without what stands behind it: what OpenSSL trusts it for, or stray bytes.
pub(super) fn certificate(der: CertificateDer<'static>) -> CertificateDer<'static> {
    match x509::whole(&der) {
        Some(len) if len < der.len() => CertificateDer::from(der[..len].to_vec()),
        _ => der,
    }
}

/// What a file holds that has none of what is looked for, if it is something that can be turned into that.
pub(super) fn instead(tidied: &[u8]) -> Option<&'static str> {
    const KINDS: [(&str, &str); 6] = [
        (
            "OPENSSH PRIVATE KEY",
            "a key in the form of OpenSSH, which openssl pkey does not read; ssh-keygen -p -m PEM -f FILE writes PEM",
        ),
        ("DSA PRIVATE KEY", "a DSA key, and nobody speaks TLS with these any more; make an ECDSA key"),
        ("CERTIFICATE REQUEST", "a request for a certificate; what the authority has made of it is needed"),
        (
            "NEW CERTIFICATE REQUEST",
            "a request for a certificate; what the authority has made of it is needed",
        ),
        ("PKCS7", "PKCS#7; openssl pkcs7 -print_certs -in FILE -out NEW writes PEM of its certificates"),
        ("CMS", "PKCS#7; openssl pkcs7 -print_certs -in FILE -out NEW writes PEM of its certificates"),
    ];
    let begins = |label: &str| {
        let first = [BEGIN, label.as_bytes(), DASHES].concat();
        memchr::memmem::find(tidied, &first).is_some()
    };
    KINDS.iter().find(|(label, _)| begins(label)).map(|(_, what)| *what)
}

/// A section: its first line, its content on one line, and its last, with `end` behind the first two.
pub(super) fn section(label: &str, der: &[u8], end: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut pem = String::with_capacity(der.len() * 4 / 3 + 80);
    pem.extend(["-----BEGIN ", label, "-----", end]);
    for group in der.chunks(3) {
        let bits =
            group.iter().fold(0u32, |bits, &byte| (bits << 8) | u32::from(byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            pem.push(match place <= group.len() {
                true => char::from(DIGITS[(bits >> (18 - 6 * place)) as usize & 63]),
                false => '=',
            });
        }
    }
    pem.extend([end, "-----END ", label, "-----"]);
    pem
}

/// What may be let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Certificates and lists of revoked ones.
    Public,
    /// Certificates, and the private key that stands with them.
    Pair,
    /// The first private key.
    Key,
}

impl Wanted {
    /// The label of a section, if that is wanted.
    fn label(self, kind: SectionKind) -> Option<&'static str> {
        match (self, kind) {
            (Wanted::Public | Wanted::Pair, SectionKind::Certificate) => Some("CERTIFICATE"),
            (Wanted::Public, SectionKind::Crl) => Some("X509 CRL"),
            (Wanted::Pair | Wanted::Key, SectionKind::PrivateKey) => Some("PRIVATE KEY"),
            (Wanted::Pair | Wanted::Key, SectionKind::RsaPrivateKey) => Some("RSA PRIVATE KEY"),
            (Wanted::Pair | Wanted::Key, SectionKind::EcPrivateKey) => Some("EC PRIVATE KEY"),
            _ => None,
        }
    }
}

/// The sections of a file that are wanted, written anew.
///
/// # Errors
/// It is no PEM: a section does not end, say, because a disk was full.
pub(super) fn only(wanted: Wanted, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut sections = String::new();
    if wanted != Wanted::Public && is_encrypted(bytes) {
        // The message says that there is such a key; its content would serve nobody.
        sections.extend([&section("ENCRYPTED PRIVATE KEY", b"", "\n"), "\n"]);
    }
    let mut add = |label: &str, der: &[u8]| sections.extend([&section(label, der, "\n"), "\n"]);
    for read in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
        let (kind, der) = match (read, wanted) {
            (Ok(read), _) => read,
            // Whoever looks for a key takes the first that there is, and is told of nothing but that there is none.
            (Err(_), Wanted::Key) => break,
            (Err(error), _) => return Err(no_pem(&error)),
        };
        if let Some(label) = wanted.label(kind) {
            add(label, &der);
            if wanted == Wanted::Key {
                break;
            }
        }
    }
    Ok(sections.into_bytes())
}

/// Whether there is a private key with a password, in what is tidy.
pub(super) fn is_encrypted(pem: &[u8]) -> bool {
    memchr::memmem::find(pem, b"-----BEGIN ENCRYPTED PRIVATE KEY-----").is_some()
}

/// Why something is no PEM. What stands in it is not told.
pub(super) fn no_pem(error: &Error) -> String {
    match error {
        Error::MissingSectionEnd { end_marker } => {
            let label: String = String::from_utf8_lossy(end_marker).chars().take(LABEL_CHARS).collect();
            format!("it is cut off: the section {label:?} does not end")
        }
        Error::IllegalSectionStart { .. } => "it is no PEM: a section has no good first line".into(),
        error => format!("it is no PEM: {error}"),
    }
}

/// Characters of a label that are quoted: more than any has that is known.
const LABEL_CHARS: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;
    use rustls_pki_types::{CertificateRevocationListDer, PrivateKeyDer};

    #[test]
    fn a_section_stands_between_its_lines() {
        let check = |der: &[u8], expect: &str| {
            assert_eq!(section("X", der, " "), format!("-----BEGIN X----- {expect} -----END X-----"));
        };
        check(b"", "");
        check(b"f", "Zg==");
        check(b"fo", "Zm8=");
        check(b"foo", "Zm9v");
        check(&[0xff, 0xfe, 0xfd, 0xfc], "//79/A==");
    }

    #[test]
    fn what_others_write_is_made_tidy() {
        let good = text("CERTIFICATE");
        let check = |file: &[u8], expect: &str| {
            let tidied = tidy(file).unwrap();
            assert_eq!(String::from_utf8(tidied).unwrap(), expect, "{}", String::from_utf8_lossy(file));
        };
        check(good.as_bytes(), &good);
        check(format!("\u{feff}{good}").as_bytes(), &good);
        check(good.replace('\n', "\r\n").as_bytes(), &good);
        check(good.replace('\n', " \t\n  ").as_bytes(), &good);
        check(format!("subject=CN = a\n\n{good}\nBag Attributes: <No Attributes>\n").as_bytes(), &good);
        // Two files put together, the first without a last newline.
        let (key, both) = (text("PRIVATE KEY"), good.clone() + &text("PRIVATE KEY"));
        check(format!("{}{key}", good.trim_end()).as_bytes(), &both);
        check(good.replace("AAAA", "\nAA\n\nAA\n").as_bytes(), &good.replace("AAAA", "AA\nAA"));
        for label in ["TRUSTED CERTIFICATE", "X509 CERTIFICATE"] {
            check(text(label).as_bytes(), &good);
        }
        check((text("EC PARAMETERS") + &key).as_bytes(), &(text("EC PARAMETERS") + &key));
        let headers = "Comment: made by hand\n and more\n\n";
        check(good.replace("AAAA", &format!("{headers}AAAA")).as_bytes(), &good);
        // What is cut off stays so.
        let (cut, rest) = good.split_at(30);
        check(cut.as_bytes(), &format!("{cut}\n"));
        check(format!("{cut}\n{key}").as_bytes(), &format!("{cut}\n{key}"));
        assert!(rest.starts_with("AA\n"));
        check(b"", "");
        check(b"README", "");
    }

    #[test]
    fn of_a_key_with_a_password_nothing_is_kept_but_that_it_is_there() {
        let expect = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let proc = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA";
        for file in [text("ENCRYPTED PRIVATE KEY"), text("RSA PRIVATE KEY").replace("AAAA", proc)] {
            let tidied = tidy(file.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(tidied.clone()).unwrap(), expect);
            assert!(is_encrypted(&tidied));
        }
        assert!(!is_encrypted(&tidy(b"the key is ENCRYPTED\n").unwrap()));
    }

    #[test]
    fn what_is_no_text_is_told() {
        let check = |file: &[u8], expect: &str| {
            let reason = tidy(file).unwrap_err();
            assert!(reason.contains(expect), "{reason}");
        };
        check(b"\xff\xfe-\0-\0", "UTF-16");
        check(&[0x30, 0x82, 1, 0], "openssl pkcs12");
    }

    fn text(label: &str) -> String {
        format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")
    }

    #[test]
    fn only_what_is_wanted_passes() {
        let labels = ["CERTIFICATE", "X509 CRL", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
        let others = ["EC PARAMETERS", "OPENSSH PRIVATE KEY", "PUBLIC KEY", "CERTIFICATE REQUEST", "ANY"];
        let all: String = others.iter().chain(&labels).map(|label| text(label)).collect();
        let file = format!("root:$6$secret:1\n{all}root:x\n");
        let check = |wanted: Wanted, expect: &[&str]| {
            let expect: String = expect.iter().map(|label| text(label)).collect();
            let passed = only(wanted, file.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(passed).unwrap(), expect, "{wanted:?}");
        };
        check(Wanted::Public, &labels[..2]);
        check(Wanted::Pair, &["CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"]);
        check(Wanted::Key, &["PRIVATE KEY"]);
    }

    #[test]
    fn of_a_key_with_a_password_nothing_passes_but_that_it_is_there() {
        let file = text("CERTIFICATE") + &text("ENCRYPTED PRIVATE KEY");
        let passed = only(Wanted::Pair, file.as_bytes()).unwrap();
        assert!(is_encrypted(&passed));
        assert_eq!(memchr::memmem::find_iter(&passed, "AAAA").count(), 1);
    }

    /// What a reader makes of a file, and of what passes of it.
    fn alike(file: &[u8]) {
        fn all<T: PemObject>(pem: &[u8]) -> Option<Vec<T>> {
            T::pem_slice_iter(pem).collect::<Result<_, _>>().ok()
        }
        let passed = only(Wanted::Public, file).ok();
        let passed = |read: &dyn Fn(&[u8]) -> bool| passed.as_deref().is_some_and(read);
        let certificates = all::<CertificateDer<'_>>(file);
        assert_eq!(certificates.is_some(), passed(&|pem| all(pem) == certificates));
        let lists = all::<CertificateRevocationListDer<'_>>(file);
        assert_eq!(lists.is_some(), passed(&|pem| all(pem) == lists));
        let key = PrivateKeyDer::from_pem_slice(file).ok();
        let passed = only(Wanted::Key, file).unwrap();
        assert_eq!(PrivateKeyDer::from_pem_slice(&passed).ok(), key);
    }

    #[test]
    fn a_file_that_is_broken_is_as_broken_for_whoever_gets_it() {
        let good = text("CERTIFICATE");
        for file in [
            good.clone() + &good,
            good.replace('\n', "\r"),
            good.replace('\n', "\r\n"),
            // Cut in the middle, in the last line, in the first.
            good.clone() + &good[..30],
            good.clone() + &good[..good.len() - 4],
            good.clone() + &good[..20],
            // One within another.
            format!("{}{good}", &good[..30]),
            format!("-----BEGIN CERTIFICATE-----\n{good}"),
            good.replace("AAAA", "A?AA"),
            good.replace("END CERTIFICATE", "END X509 CRL"),
            format!("{}{good}", text("PRIVATE KEY").replace("AAAA", "?")),
            format!("{}{}", text("PRIVATE KEY"), &good[..40]),
            format!("-----BEGIN ANY-----\n{good}"),
            "nonsense".into(),
            String::new(),
        ] {
            alike(file.as_bytes());
        }
        assert!(only(Wanted::Pair, &good.as_bytes()[..40]).unwrap_err().contains("CERTIFICATE"));
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_in_a_file_is_found_alike(pieces in proptest::collection::vec(0usize..9, 0..12)) {
            let pieces = pieces.into_iter().map(|piece| [
                "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----", "-----BEGIN PRIVATE KEY-----",
                "-----END PRIVATE KEY-----", "-----BEGIN X", "AAAA", "\n", "\r", "-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----",
            ][piece]);
            alike(pieces.collect::<String>().as_bytes());
        }
    }
}
