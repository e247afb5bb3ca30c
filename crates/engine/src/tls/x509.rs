//! What an X.509 certificate says (RFC 5280), as far as we have to know it: rustls verifies, this only reads.
//!
//! The bytes may come from a client, so nothing here trusts a length.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::net::IpAddr;

/// The parts of a certificate that we look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate<'a> {
    /// The version of its form (section 4.1.2.1): 3 is what has extensions.
    pub(super) version: u8,
    /// Its number, as bytes of a number that may be negative.
    pub(super) serial: &'a [u8],
    /// Who signed it.
    pub(super) issuer: Name<'a>,
    /// Whom it is about.
    pub(super) subject: Name<'a>,
    /// Seconds since the epoch before which it does not hold.
    pub(super) not_before: i64,
    /// Seconds since the epoch after which it does not hold.
    pub(super) not_after: i64,
    /// The subject's public key.
    pub(super) key: Key<'a>,
    /// DNS names of the subject (section 4.2.1.6).
    pub(super) names: Vec<&'a str>,
    /// Addresses of the subject.
    pub(super) addresses: Vec<IpAddr>,
}

/// The version of certificates that can have extensions; nothing verifies older ones any more.
pub(super) const WITH_EXTENSIONS: u8 = 3;

/// A public key (section 4.1.2.7). Parts that cannot be read are empty.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Key<'a> {
    /// Object identifier of the algorithm.
    pub(super) algorithm: &'a [u8],
    /// Object identifier of the curve, if the algorithm has one.
    pub(super) curve: Option<&'a [u8]>,
    /// The key itself, in the form that goes with the algorithm.
    pub(super) bits: &'a [u8],
}

/// A distinguished name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a>(&'a [u8]);

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const BOOLEAN: u8 = 0x01;
const UTC_TIME: u8 = 0x17;
const TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const NEXT_UPDATE: u8 = 0xa0;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 29, 17];

/// Names taken of one certificate. Those of the public authorities have at most a hundred or so.
const NAMES_MAX: usize = 10_000;

/// Reads a certificate; `None` if it is none.
pub(super) fn parse(der: &[u8]) -> Option<Certificate<'_>> {
    let mut whole = Der(der);
    let mut certificate = Der(whole.take(SEQUENCE)?);
    let mut tbs = Der(certificate.take(SEQUENCE)?);
    // Versions count from 0, which is not written.
    let version = match tbs.0.first() {
        Some(&VERSION) => Der(tbs.take(VERSION)?).take(INTEGER)?.last()?.wrapping_add(1),
        _ => 1,
    };
    let serial = tbs.take(INTEGER)?;
    let _algorithm = tbs.take(SEQUENCE)?;
    let issuer = Name(tbs.take(SEQUENCE)?);
    let mut validity = Der(tbs.take(SEQUENCE)?);
    let not_before = time(validity.any()?)?;
    let not_after = time(validity.any()?)?;
    let subject = Name(tbs.take(SEQUENCE)?);
    let key = tbs.take(SEQUENCE)?;
    let mut read = Certificate {
        version,
        serial,
        issuer,
        subject,
        not_before,
        not_after,
        // A key that we cannot read is somebody else's to refuse.
        key: Key::parse(key).unwrap_or_default(),
        names: Vec::new(),
        addresses: Vec::new(),
    };
    // Unique identifiers, which nobody uses, stand between the key and the extensions.
    while let Some((tag, content)) = tbs.any() {
        if tag == EXTENSIONS {
            extensions(content, &mut read)?;
        }
    }
    Some(read)
}

/// The length of the first value of DER, with its tag; `None` if it is not whole.
pub(super) fn whole(der: &[u8]) -> Option<usize> {
    let mut rest = Der(der);
    rest.any()?;
    Some(der.len() - rest.0.len())
}

/// Until when an OCSP answer holds that says that all is well (RFC 6960 section 4.2.1); the far future if it does not say.
/// `None` if it is no such answer.
pub(super) fn staple_until(der: &[u8]) -> Option<i64> {
    const ENUMERATED: u8 = 0x0a;
    const BYTES: u8 = 0xa0;
    const GOOD: u8 = 0x80;
    let mut whole = Der(der);
    let mut answer = Der(whole.take(SEQUENCE)?);
    if answer.take(ENUMERATED)? != [0] {
        return None;
    }
    let mut bytes = Der(Der(answer.take(BYTES)?).take(SEQUENCE)?);
    bytes.take(OID)?;
    let mut basic = Der(Der(bytes.take(OCTETS)?).take(SEQUENCE)?);
    let mut data = Der(basic.take(SEQUENCE)?);
    data.skip(VERSION);
    let _responder = data.any()?;
    let _produced = data.take(TIME)?;
    let mut single = Der(Der(data.take(SEQUENCE)?).take(SEQUENCE)?);
    let _certificate = single.take(SEQUENCE)?;
    if single.any()?.0 != GOOD {
        return None;
    }
    let _this_update = single.take(TIME)?;
    match single.take(NEXT_UPDATE) {
        Some(content) => time(Der(content).any()?),
        None => Some(i64::MAX),
    }
}

/// Until when a list of revoked certificates holds (RFC 5280 section 5.1.2.5); `None` if it does not say, or is none.
pub(super) fn list_until(der: &[u8]) -> Option<i64> {
    let mut whole = Der(der);
    let mut list = Der(whole.take(SEQUENCE)?);
    let mut tbs = Der(list.take(SEQUENCE)?);
    tbs.skip(INTEGER);
    let _algorithm = tbs.take(SEQUENCE)?;
    let _issuer = tbs.take(SEQUENCE)?;
    let _this_update = time(tbs.any()?)?;
    time(tbs.any()?)
}

/// Takes the names out of the extensions (section 4.1.2.9).
fn extensions<'a>(content: &'a [u8], read: &mut Certificate<'a>) -> Option<()> {
    let mut content = Der(content);
    let mut extensions = Der(content.take(SEQUENCE)?);
    while let Some(extension) = extensions.take(SEQUENCE) {
        let mut extension = Der(extension);
        let kind = extension.take(OID)?;
        extension.skip(BOOLEAN);
        let mut value = Der(extension.take(OCTETS)?);
        if kind != SUBJECT_ALT_NAME {
            continue;
        }
        let mut names = Der(value.take(SEQUENCE)?);
        while let Some((tag, name)) = names.any().filter(|_| read.names.len() < NAMES_MAX) {
            match tag {
                DNS_NAME => read.names.extend(std::str::from_utf8(name).ok().filter(|name| name.is_ascii())),
                IP_ADDRESS => read.addresses.extend(
                    <[u8; 4]>::try_from(name)
                        .map(IpAddr::from)
                        .or_else(|_| <[u8; 16]>::try_from(name).map(IpAddr::from)),
                ),
                _ => {}
            }
        }
    }
    Some(())
}

impl<'a> Key<'a> {
    fn parse(content: &'a [u8]) -> Option<Key<'a>> {
        let mut content = Der(content);
        let mut kind = Der(content.take(SEQUENCE)?);
        let algorithm = kind.take(OID)?;
        let curve = kind.take(OID);
        // The first byte tells how many bits of the last one do not count: none.
        let bits = content.take(BITS)?.strip_prefix(&[0])?;
        Some(Key { algorithm, curve, bits })
    }

    /// Reads one that stands alone.
    pub(super) fn alone(der: &'a [u8]) -> Option<Key<'a>> {
        Key::parse(Der(der).take(SEQUENCE)?)
    }

    /// The modulus of a key of RSA, without leading zeros (RFC 8017 appendix A.1.1).
    pub(super) fn modulus(&self) -> Option<&'a [u8]> {
        let modulus = Der(Der(self.bits).take(SEQUENCE)?).take(INTEGER)?;
        let zeros = modulus.iter().take_while(|&&byte| byte == 0).count();
        Some(&modulus[zeros..])
    }
}

/// The attributes of a name, in order: type and value with its tag.
fn attributes(name: &[u8]) -> impl Iterator<Item = (&[u8], u8, &[u8])> {
    let mut sets = Der(name);
    let mut set = Der(&[]);
    std::iter::from_fn(move || {
        loop {
            if let Some(attribute) = set.take(SEQUENCE) {
                let mut attribute = Der(attribute);
                let kind = attribute.take(OID)?;
                let (tag, value) = attribute.any()?;
                return Some((kind, tag, value));
            }
            set = Der(sets.take(SET)?);
        }
    })
}

impl<'a> Name<'a> {
    /// The common name, as it stands.
    pub(super) fn common_name(self) -> Option<&'a [u8]> {
        attributes(self.0).filter(|(kind, _, _)| *kind == COMMON_NAME).map(|(_, _, value)| value).last()
    }
}

/// Attributes by their short names, as OpenSSL has them.
const SHORT_NAMES: &[(&[u8], &str)] = &[
    (COMMON_NAME, "CN"),
    (&[0x55, 4, 4], "SN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "street"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 12], "title"),
    (&[0x55, 4, 42], "GN"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "emailAddress"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
];

/// `C = US, O = Example, CN = Ann`, as OpenSSL prints a name on one line. What could be taken for the end of a value, or
/// for anything but text, is written as RFC 4514 section 2.4 has it, so that the text may stand in a field and in a log.
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, tag, value)) in attributes(self.0).enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            match SHORT_NAMES.iter().find(|(known, _)| *known == kind) {
                Some((_, name)) => f.write_str(name)?,
                None => identifier(kind, f)?,
            }
            f.write_str(" = ")?;
            for character in text(tag, value).chars() {
                match character {
                    ',' | '+' | '"' | '\\' | '<' | '>' | ';' => write!(f, "\\{character}")?,
                    character if character.is_control() => {
                        let mut bytes = [0; 4];
                        for byte in character.encode_utf8(&mut bytes).bytes() {
                            write!(f, "\\{byte:02X}")?;
                        }
                    }
                    character => f.write_char(character)?,
                }
            }
        }
        Ok(())
    }
}

/// The numbers of an object identifier with dots between them (X.690 section 8.19).
fn identifier(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut number = 0u64;
    let mut first = true;
    for &byte in bytes {
        number = (number << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        match first {
            true => write!(f, "{}.{}", (number / 40).min(2), number - 40 * (number / 40).min(2))?,
            false => write!(f, ".{number}")?,
        }
        first = false;
        number = 0;
    }
    Ok(())
}

const UTF8: u8 = 0x0c;
const BMP: u8 = 0x1e;

/// The text of a value of a name.
fn text(tag: u8, value: &[u8]) -> Cow<'_, str> {
    match tag {
        UTF8 => String::from_utf8_lossy(value),
        BMP => {
            let units = value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{fffd}')).collect::<String>().into()
        }
        // ASCII, or what was once meant to be Latin-1.
        _ => value.iter().map(|&byte| char::from(byte)).collect::<String>().into(),
    }
}

/// A serial number as decimal digits; it may have 20 bytes (RFC 5280 section 4.1.2.2), and sometimes has more.
pub(super) fn decimal(number: &[u8]) -> String {
    let mut digits: Vec<u8> = vec![0];
    for &byte in number.iter().take(SERIAL_MAX) {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 10) as u8;
            carry /= 10;
        }
        while carry > 0 {
            digits.push((carry % 10) as u8);
            carry /= 10;
        }
    }
    digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}

/// Bytes of a serial number that are looked at.
const SERIAL_MAX: usize = 64;

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280 section 4.1.2.5).
fn time((tag, text): (u8, &[u8])) -> Option<i64> {
    let text = text.strip_suffix(b"Z")?;
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |digits: &[u8]| digits.iter().fold(0i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    let (year, rest) = match (tag, text.len()) {
        (UTC_TIME, 12) => match number(&text[..2]) {
            year @ 50.. => (1900 + year, &text[2..]),
            year => (2000 + year, &text[2..]),
        },
        (TIME, 14) => (number(&text[..4]), &text[4..]),
        _ => return None,
    };
    let part = |at: usize| number(&rest[at..at + 2]);
    let (month, day) = (part(0), part(2));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since the epoch of a date of the civil calendar, counted in years that begin with March, so that the leap
    // day comes last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let days = 365 * shifted + shifted.div_euclid(4) - shifted.div_euclid(100)
        + shifted.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
        - 719_468;
    Some(((days * 24 + part(4)) * 60 + part(6)) * 60 + part(8))
}

/// Values in DER, one behind the other.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value: its tag and its content.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        // Tags of more than one byte are in no certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, mut rest) = rest.split_first()?;
        let len = match first {
            0..=0x7f => usize::from(first),
            // Four bytes of length are more than any certificate has.
            0x81..=0x84 => {
                let (len, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = after;
                len.iter().fold(0, |sum, &byte| (sum << 8) | usize::from(byte))
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The next value if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut after = *self;
        let (found, content) = after.any()?;
        if found != tag {
            return None;
        }
        *self = after;
        Some(content)
    }

    /// Passes over the next value if it has this tag.
    fn skip(&mut self, tag: u8) {
        let _ = self.take(tag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_decimal() {
        let check = |bytes: &[u8], expect| assert_eq!(decimal(bytes), expect);
        check(&[], "0");
        check(&[0], "0");
        check(&[0x03, 0xe9], "1001");
        check(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "18446744073709551615");
    }

    #[test]
    fn a_name_can_stand_in_a_field() {
        let check = |params: &[(rcgen::DnType, &str)], expect: &str| {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut wanted = rcgen::CertificateParams::default();
            wanted.distinguished_name = rcgen::DistinguishedName::new();
            for (kind, value) in params {
                wanted.distinguished_name.push(kind.clone(), *value);
            }
            let certificate = wanted.self_signed(&key).unwrap();
            assert_eq!(parse(certificate.der()).unwrap().subject.to_string(), expect);
        };
        use rcgen::DnType::{CommonName, CountryName, CustomDnType, OrganizationName};
        check(&[(CountryName, "DE"), (CommonName, "Änne Müller")], "C = DE, CN = Änne Müller");
        check(&[(OrganizationName, "A, B\r\nX-Admin: yes")], "O = A\\, B\\0D\\0AX-Admin: yes");
        check(&[(CustomDnType(vec![1, 2, 840, 113549, 1, 9, 1]), "a@b")], "emailAddress = a@b");
        check(&[(CustomDnType(vec![2, 999, 3]), "x")], "2.999.3 = x");
    }

    #[test]
    fn times_are_those_of_the_civil_calendar() {
        let check = |tag, text: &str, expect| assert_eq!(time((tag, text.as_bytes())), expect, "{text}");
        check(UTC_TIME, "700101000000Z", Some(0));
        check(UTC_TIME, "500101000000Z", Some(-631_152_000));
        check(UTC_TIME, "240229120000Z", Some(1_709_208_000));
        check(UTC_TIME, "491231235959Z", Some(2_524_607_999));
        check(TIME, "20500101000000Z", Some(2_524_608_000));
        check(TIME, "99991231235959Z", Some(253_402_300_799));
        for wrong in
            ["700001000000Z", "701301000000Z", "7001010000Z", "70010100000xZ", "700101000000", "Z", ""]
        {
            check(UTC_TIME, wrong, None);
            check(TIME, wrong, None);
        }
    }

    /// What openssl has made: certificates, OCSP answers and lists of revoked ones, as the fuzzer begins with.
    fn samples() -> Vec<Vec<u8>> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/certificate");
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
    }

    /// Reads the bytes as all that they could be, to the last letter.
    fn read_all(bytes: &[u8]) -> bool {
        let certificate = parse(bytes);
        if let Some(read) = &certificate {
            let text = format!("{} {} {}", read.subject, read.issuer, decimal(read.serial));
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
        certificate.is_some() | staple_until(bytes).is_some() | list_until(bytes).is_some()
    }

    #[test]
    fn what_openssl_makes_is_read_and_no_part_of_it() {
        let samples = samples();
        let mut unread = 0;
        for sample in &samples {
            // An OCSP answer that does not say that all is well is none.
            unread += usize::from(!read_all(sample));
            for len in 0..sample.len() {
                assert!(!read_all(&sample[..len]), "{len} bytes");
            }
        }
        assert!(samples.len() > unread + 8, "{unread} of {}", samples.len());
    }

    #[test]
    fn a_list_says_until_when_it_holds() {
        let day = 24 * 60 * 60;
        let key = rcgen::KeyPair::generate().unwrap();
        let issuer = rcgen::Issuer::new(rcgen::CertificateParams::default(), &key);
        let (begin, end) = (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2026, 1, 31));
        let list = rcgen::CertificateRevocationListParams {
            this_update: begin,
            next_update: end,
            crl_number: rcgen::SerialNumber::from(1u64),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&issuer).unwrap();
        assert_eq!(list_until(list.der()), Some(1_767_225_600 + 30 * day));
    }

    proptest::proptest! {
        #[test]
        fn what_is_cut_out_put_in_or_changed_is_read_or_refused(
            which: proptest::sample::Index,
            edits in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), 0u8..4, 0u8..), 1..8),
        ) {
            let mut bytes = which.get(&samples()).clone();
            for (at, edit, byte) in edits {
                let at = at.index(bytes.len() + 1);
                match edit {
                    0 => bytes.truncate(at),
                    1 => bytes.insert(at, byte),
                    2 => drop(bytes.drain(at..(at + usize::from(byte)).min(bytes.len()))),
                    _ => bytes.iter_mut().skip(at).take(1).for_each(|old| *old = byte),
                }
            }
            let _ = read_all(&bytes);
        }

        /// A certificate may come from a client: whatever is in it, reading it ends.
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = parse(&bytes);
            let _ = staple_until(&bytes);
            let _ = list_until(&bytes);
        }

        #[test]
        fn a_damaged_certificate_is_read_or_refused(at: proptest::sample::Index, byte: u8) {
            let key = rcgen::KeyPair::generate().unwrap();
            let names = vec!["www.example.org".to_owned(), "192.0.2.1".to_owned()];
            let params = rcgen::CertificateParams::new(names).unwrap();
            let mut der = params.self_signed(&key).unwrap().der().to_vec();
            let read = parse(&der).unwrap();
            proptest::prop_assert_eq!(&read.names, &["www.example.org"]);
            proptest::prop_assert_eq!(&read.addresses, &[IpAddr::from([192, 0, 2, 1])]);
            let at = at.index(der.len());
            der[at] = byte;
            let _ = parse(&der);
        }
    }
}
