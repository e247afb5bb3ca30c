//! `SSLEngine`: a PKCS#11 URI (RFC 7512).
//!
//! ```text
//!   pkcs11:token=web;object=www?module-path=/usr/lib/module.so&pin-source=/etc/pound/pin
//!          └── attributes ────┘└── how to get there ───────────────────────────────────┘
//! ```

use plan::Token;
use plan::token::{Pin, Secret};

use super::Lowering;
use super::arguments::list;
use crate::diagnostic::Diagnostic;
use crate::lex::Word;
use crate::suggest;
use crate::syntax::Statement;

const SCHEME: &str = "pkcs11:";

/// What may stand before the question mark.
const ATTRIBUTES: [&str; 8] = ["token", "serial", "manufacturer", "model", "slot-id", "object", "id", "type"];
/// What may stand behind it.
const QUERY: [&str; 3] = ["module-path", "pin-source", "pin-value"];

/// `SSLEngine`
pub(crate) fn lower(cx: &mut Lowering<'_>, statement: &Statement) {
    let word = &statement.arguments[0];
    cx.global.token = cx.key_token(statement, word);
}

/// One `name=value` of a URI.
struct Attribute<'a> {
    name: &'a str,
    /// Without percent signs.
    value: Vec<u8>,
    /// Where the whole of it stands in the word, and where its value.
    at: usize,
    len: usize,
}

impl Lowering<'_> {
    fn key_token(&mut self, statement: &Statement, word: &Word) -> Option<Token> {
        let text = &*word.text;
        let scheme = text.get(..SCHEME.len()).filter(|start| start.eq_ignore_ascii_case(SCHEME));
        if scheme.is_none() {
            self.push(
                Diagnostic::error(word.span, "engines of OpenSSL are not loaded, since TLS is not OpenSSL's here")
                    .label("expected \"pkcs11:…\"")
                    .help("most tokens come with a PKCS#11 module; name it so:\nSSLEngine \"pkcs11:token=NAME?module-path=FILE&pin-source=FILE\"")
                    .help("without a token, leave the line out: processors do this arithmetic well"),
            );
            return None;
        }
        let (path, query) = match text[SCHEME.len()..].split_once('?') {
            Some((path, query)) => (path, query),
            None => (&text[SCHEME.len()..], ""),
        };
        let query_at = SCHEME.len() + path.len() + 1;
        let mut attributes = self.attributes(word, SCHEME.len(), path, ';', &ATTRIBUTES)?;
        attributes.extend(self.attributes(word, query_at, query, '&', &QUERY)?);
        for (index, attribute) in attributes.iter().enumerate() {
            if attributes[..index].iter().any(|before| before.name == attribute.name) {
                return self.wrong(word, attribute, format!("{} stands here twice", attribute.name));
            }
        }
        let mut token = Token::at("", self.file_name(statement, word).place);
        for attribute in attributes {
            if attribute.name == "id" {
                token.id = Some(attribute.value);
                continue;
            }
            let Ok(value) = std::str::from_utf8(&attribute.value).map(str::to_owned) else {
                return self.wrong(word, &attribute, format!("{} is not UTF-8", attribute.name));
            };
            if value.is_empty() {
                return self.wrong(word, &attribute, format!("{} says nothing", attribute.name));
            }
            match attribute.name {
                "token" => token.label = Some(value),
                "serial" => token.serial = Some(value),
                "manufacturer" => token.manufacturer = Some(value),
                "model" => token.model = Some(value),
                "object" => token.object = Some(value),
                "slot-id" => match value.parse() {
                    Ok(number) => token.slot = Some(number),
                    Err(_) => return self.wrong(word, &attribute, "slot-id is a number".into()),
                },
                "type" if value == "private" => {}
                "type" => return self.wrong(word, &attribute, "only a private key is of use here".into()),
                "module-path" => token.module = self.path(statement, &value),
                "pin-value" if token.pin.is_none() => token.pin = Some(Pin::Value(Secret::new(value))),
                "pin-source" if token.pin.is_none() => {
                    let Some(file) = pin_file(&value) else {
                        let reason =
                            "pin-source is the name of a file, or file:NAME; nothing else is asked for a PIN";
                        return self.wrong(word, &attribute, reason.into());
                    };
                    token.pin = Some(Pin::File(self.path(statement, file)));
                }
                _ => return self.wrong(word, &attribute, "of pin-source and pin-value one is enough".into()),
            }
        }
        if token.module.as_os_str().is_empty() {
            self.push(
                Diagnostic::error(word.span, "no PKCS#11 module is named")
                    .label("expected ?module-path=FILE at the end")
                    .help("it is a shared library that comes with the token, such as /usr/lib/softhsm/libsofthsm2.so"),
            );
            return None;
        }
        Some(token)
    }

    fn attributes<'a>(
        &mut self,
        word: &Word,
        start: usize,
        text: &'a str,
        separator: char,
        known: &[&'static str],
    ) -> Option<Vec<Attribute<'a>>> {
        let mut attributes = Vec::new();
        let mut at = start;
        for part in text.split(separator) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let mut attribute = Attribute { name, value: Vec::new(), at, len: part.len() };
            at += part.len() + separator.len_utf8();
            if part.is_empty() {
                continue;
            }
            if !known.contains(&name) {
                attribute.len = name.len();
                let elsewhere = [("before", &ATTRIBUTES[..]), ("behind", &QUERY[..])];
                let elsewhere = elsewhere.iter().find(|(_, names)| names.contains(&name));
                let span = word.part(attribute.at, attribute.len);
                // Nothing behind the `=` is repeated: it may be a PIN with a slip in its name.
                self.push(
                    Diagnostic::error(span, "this part of the URI is not one that is looked at")
                        .label(format!("expected {}", list(known)))
                        .help_if(match elsewhere {
                            Some((side, _)) => Some(format!("it stands {side} the question mark")),
                            None => suggest::nearest(name, known.iter().copied())
                                .map(|name| format!("did you mean {name}?")),
                        }),
                );
                return None;
            }
            // Such a sign may be meant to begin the next part, which may be a PIN: it must not get into a name that is shown.
            if separator == '&' && value.contains([';', '?']) {
                let reason = format!("a ; or ? cannot stand in {name}: a & begins the next part");
                self.push(
                    Diagnostic::error(word.part(attribute.at, name.len()), reason)
                        .help("if it belongs to the value, write %3B for ; and %3F for ?"),
                );
                return None;
            }
            let lower = value.to_ascii_lowercase();
            if let Some(inner) = QUERY.iter().find(|inner| lower.contains(&format!("{inner}="))) {
                let reason =
                    format!("{inner} stands within the value of {name}, and must begin a part of its own");
                self.push(
                    Diagnostic::error(word.part(attribute.at, name.len()), reason)
                        .help("parts before the question mark end with ;, those behind it with &"),
                );
                return None;
            }
            match decode(value) {
                Some(value) => attribute.value = value,
                None => {
                    return self.wrong(
                        word,
                        &attribute,
                        format!("behind a % of {name} there are not two hexadecimal digits"),
                    );
                }
            }
            attributes.push(attribute);
        }
        Some(attributes)
    }

    fn wrong<T>(&mut self, word: &Word, attribute: &Attribute<'_>, reason: String) -> Option<T> {
        self.push(Diagnostic::error(word.part(attribute.at, attribute.len), reason));
        None
    }
}

/// The file of a `pin-source`, which may be a URI; `None` if it is something else, such as a program to run.
fn pin_file(value: &str) -> Option<&str> {
    match value.strip_prefix("file:") {
        Some(rest) => Some(rest.strip_prefix("//").unwrap_or(rest)).filter(|file| !file.is_empty()),
        None => Some(value).filter(|value| !value.starts_with('|') && !value.contains("://")),
    }
}

/// Takes percent signs out (RFC 3986 section 2.1).
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            byte => byte,
        });
    }
    Some(decoded)
}
