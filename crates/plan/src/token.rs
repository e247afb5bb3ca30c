//! Where private keys are that no file holds: a token behind a PKCS#11 module (`SSLEngine`).
//!
//! A plan says how to find it; the engine opens the module, in the process that serves.

use std::fmt;
use std::path::PathBuf;

/// A token, and which of its keys may be used. What is `None` is not looked at (RFC 7512 section 2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The shared library of the token's maker (`module-path`).
    pub module: PathBuf,
    /// Label of the token (`token`).
    pub label: Option<String>,
    /// Its serial number (`serial`).
    pub serial: Option<String>,
    /// Its maker (`manufacturer`).
    pub manufacturer: Option<String>,
    /// Its model (`model`).
    pub model: Option<String>,
    /// Number of its slot (`slot-id`).
    pub slot: Option<u64>,
    /// Label that a key must have (`object`).
    pub object: Option<String>,
    /// Identifier that a key must have (`id`).
    pub id: Option<Vec<u8>>,
    /// What opens it; `None` for one that asks for nothing, or on a keypad of its own.
    pub pin: Option<Pin>,
    /// The file and the line of the configuration, for messages.
    pub place: String,
}

impl Token {
    /// Any token of this module, with any key, and no PIN.
    pub fn at(module: impl Into<PathBuf>, place: impl Into<String>) -> Token {
        Token {
            module: module.into(),
            label: None,
            serial: None,
            manufacturer: None,
            model: None,
            slot: None,
            object: None,
            id: None,
            pin: None,
            place: place.into(),
        }
    }
}

/// What opens a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// It stands in the configuration (`pin-value`).
    Value(Secret),
    /// It is the first line of this file (`pin-source`).
    File(PathBuf),
}

/// A text that nobody gets to see: it is not in `Debug`, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<Box<str>>) -> Secret {
        Secret(text.into())
    }

    /// The text, for whoever has to pass it on.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// The token as a person would name it: what it is looked for by, and the module.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("token")?;
        let words = [
            ("", &self.label),
            (" with serial", &self.serial),
            (" of", &self.manufacturer),
            (" of model", &self.model),
        ];
        for (word, text) in words {
            if let Some(text) = text {
                write!(f, "{word} {text:?}")?;
            }
        }
        if let Some(slot) = self.slot {
            write!(f, " in slot {slot}")?;
        }
        write!(f, " of {}", self.module.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_named_and_its_pin_is_not() {
        let token = Token {
            label: Some("web".into()),
            slot: Some(3),
            pin: Some(Pin::Value(Secret::new("4711"))),
            ..Token::at("/m.so", "pound.cfg:1")
        };
        assert_eq!(token.to_string(), "token \"web\" in slot 3 of /m.so");
        assert!(!format!("{token:?}").contains("4711"));
    }
}
