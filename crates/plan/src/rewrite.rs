//! Changes to requests and answers.

use crate::condition::Condition;
use crate::pattern::Pattern;
use crate::template::Template;

/// What a listener or a service changes.
#[derive(Debug, Default)]
pub struct Rewrites {
    /// In file order.
    pub request: Vec<Step<RequestEdit>>,
    /// In file order.
    pub response: Vec<Step<ResponseEdit>>,
}

/// One change, or a choice between several.
#[derive(Debug)]
pub enum Step<Edit> {
    /// Always done.
    Edit(Edit),
    /// The first branch whose condition holds is done (`Rewrite … Else … End`).
    Choose(Vec<Branch<Edit>>),
}

/// One branch of a `Rewrite`.
#[derive(Debug)]
pub struct Branch<Edit> {
    /// When it is taken.
    pub condition: Condition,
    /// What is done then, in file order.
    pub steps: Vec<Step<Edit>>,
}

/// A change to a field of a message.
#[derive(Debug)]
pub enum FieldEdit {
    /// Replaces the fields of this name, or adds one (`SetHeader`).
    Set {
        /// A token (RFC 9110 section 5.6.2).
        name: String,
        /// Expanded for each message.
        value: Template,
    },
    /// Removes each field whose line `Name: value` matches (`DeleteHeader`).
    Delete(Pattern),
}

/// A change to a request.
#[derive(Debug)]
pub enum RequestEdit {
    /// A field.
    Field(FieldEdit),
    /// Path and query (`SetURL`).
    SetUrl(Template),
    /// The path (`SetPath`).
    SetPath {
        /// The new path.
        path: Template,
        /// Percent-encode the expansion (`-encode`).
        encode: bool,
    },
    /// The query (`SetQuery`).
    SetQuery(Template),
    /// No query (`DeleteQuery`).
    DeleteQuery,
    /// One query parameter (`SetQueryParam`).
    SetQueryParam {
        /// Its name.
        name: String,
        /// The new value; `None` deletes it.
        value: Option<Template>,
        /// Percent-encode the expansion (`-encode`).
        encode: bool,
    },
}

/// A change to an answer.
#[derive(Debug)]
pub enum ResponseEdit {
    /// A field.
    Field(FieldEdit),
}

/// Splits `Name: value` and refuses what could not stand in a message.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn field_line(line: &str) -> Result<(String, String), String> {
    let Some((name, value)) = line.split_once(':') else {
        return Err("expected \"Name: value\"".into());
    };
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        return Err(format!(
            "\"{name}\" cannot be a field name: letters, digits and !#$%&'*+-.^_`|~ are allowed"
        ));
    }
    if let Some(byte) = value.bytes().find(|byte| byte.is_ascii_control() && *byte != b'\t') {
        return Err(format!("the value of {name} holds a control character (0x{byte:02x})"));
    }
    Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
}

/// RFC 9110 section 5.6.2, `tchar`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
