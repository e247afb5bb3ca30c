//! The ordered fields of a head or a trailer section, and their edits.

use super::Span;
use crate::field::{self, Known};
use crate::h1::error::EditError;
use crate::h1::limits::EDITED_HEAD_MAX;
use crate::token;

/// One field line: where its name and value are, and which known field it is.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    name: Span,
    value: Span,
    known: Option<Known>,
}

impl Field {
    pub(crate) fn new(name: Span, value: Span, known: Option<Known>) -> Field {
        Field { name, value, known }
    }

    /// Where the name is.
    #[must_use]
    pub fn name(&self) -> Span {
        self.name
    }

    /// Where the trimmed value is.
    #[must_use]
    pub fn value(&self) -> Span {
        self.value
    }

    /// Which known field it is.
    #[must_use]
    pub fn known(&self) -> Option<Known> {
        self.known
    }
}

/// Room for the fields of one head, empty but with its allocation kept, so that it can be pooled.
#[derive(Clone, Debug, Default)]
pub struct Slots(Vec<Field>);

/// Fields in the order they came, over the buffer that holds their bytes.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    buf: Vec<u8>,
    list: Vec<Field>,
}

impl Fields {
    /// No fields, no buffer.
    #[must_use]
    pub fn new() -> Fields {
        Fields::none()
    }

    pub(crate) const fn none() -> Fields {
        Fields { buf: Vec::new(), list: Vec::new() }
    }

    pub(crate) fn over(buf: Vec<u8>, Slots(mut list): Slots) -> Fields {
        list.clear();
        Fields { buf, list }
    }

    pub(crate) fn buffer(&self) -> &[u8] {
        &self.buf
    }

    pub(crate) fn push(&mut self, field: Field) {
        self.list.push(field);
    }

    /// The bytes of a span that this head gave out. A foreign span gives other bytes or none, never a panic.
    #[must_use]
    pub fn bytes(&self, span: Span) -> &[u8] {
        self.buf.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The buffer as it is and the emptied slots.
    pub(crate) fn into_parts(mut self) -> (Vec<u8>, Slots) {
        self.list.clear();
        (self.buf, Slots(self.list))
    }

    pub(crate) fn recycle(mut self) -> (Vec<u8>, Slots) {
        self.buf.clear();
        self.list.clear();
        (self.buf, Slots(self.list))
    }

    /// Number of field lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.list.iter().map(|field| (self.bytes(field.name), self.bytes(field.value)))
    }

    /// Names and values in order, with the known field each is.
    pub fn iter_known(&self) -> impl Iterator<Item = (Option<Known>, &[u8], &[u8])> {
        self.list.iter().map(|field| (field.known, self.bytes(field.name), self.bytes(field.value)))
    }

    /// The first value of a known field.
    #[must_use]
    pub fn get(&self, known: Known) -> Option<&[u8]> {
        self.get_all(known).next()
    }

    /// Every value of a known field, in order.
    pub fn get_all(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        self.list.iter().filter(move |field| field.known == Some(known)).map(|field| self.bytes(field.value))
    }

    /// The first value of a field by name, in any case.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&[u8]> {
        self.find_all(name).next()
    }

    /// Every value of a field by name, in any case, in order.
    pub fn find_all<'a>(&'a self, name: &[u8]) -> impl Iterator<Item = &'a [u8]> {
        let matches = Matcher::new(name);
        self.list.iter().filter(move |field| matches.field(self, field)).map(|field| self.bytes(field.value))
    }

    /// The first value of a field by name, in any case, among the lines that were received and stand at `lines`, whatever
    /// was edited since. Edits append to the buffer and take lines out of the list, so what was received is what the
    /// list still has of it, with its gaps read again.
    pub(crate) fn received(&self, name: &[u8], lines: Span) -> Option<&[u8]> {
        let wanted = Matcher::new(name);
        let mut at = lines.start;
        for field in self.list.iter().filter(|field| field.value.end <= lines.end) {
            if field.name.start > at
                && let Some(value) = value_in(self.bytes(Span { start: at, end: field.name.start }), name)
            {
                return Some(value);
            }
            if wanted.field(self, field) {
                return Some(self.bytes(field.value));
            }
            at = self.line_after(field);
        }
        value_in(self.bytes(Span { start: at, end: lines.end }), name)
    }

    /// Where the line behind a received one begins.
    fn line_after(&self, field: &Field) -> u32 {
        let end = field.name.end.max(field.value.end);
        let rest = self.buf.get(end as usize..).unwrap_or_default();
        if rest.starts_with(b"\r\n") {
            return end + 2;
        }
        // White space stands before the end, or the colon.
        memchr::memchr(b'\n', rest).map_or(end, |len| end.saturating_add(len as u32 + 1))
    }

    /// How many lines a known field has.
    #[must_use]
    pub fn count(&self, known: Known) -> usize {
        self.list.iter().filter(|field| field.known == Some(known)).count()
    }

    /// Whether a comma list has a member, in any case, on any of the field's lines.
    #[must_use]
    pub fn contains_token(&self, known: Known, member: &[u8]) -> bool {
        self.get_all(known).any(|value| token::has_member(value, member))
    }

    /// Adds a field line at the end.
    ///
    /// The value is taken without the white space around it.
    ///
    /// # Errors
    /// When name or value could not stand on a field line, or the head is at the bound for edits. Nothing is changed
    /// then.
    pub fn append(&mut self, name: &[u8], value: &[u8]) -> Result<(), EditError> {
        let field = self.build(name, value)?;
        self.list.push(field);
        Ok(())
    }

    /// Adds a known field at the end, in its usual spelling.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_known(&mut self, known: Known, value: &[u8]) -> Result<(), EditError> {
        // Its name is a token, and it is its own row of the table.
        let field = self.store_line(known.name().as_bytes(), value, Some(known))?;
        self.list.push(field);
        Ok(())
    }

    /// Replaces every line of that name by one, at the place of the first; adds it at the end if there was none.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), EditError> {
        let field = self.build(name, value)?;
        self.place(name, field);
        Ok(())
    }

    /// Puts a field in the place of all of its name.
    fn place(&mut self, name: &[u8], field: Field) {
        let mut placed = false;
        self.replace(name, |old| {
            let first = !placed;
            if first {
                *old = field;
            }
            placed = true;
            first
        });
        if !placed {
            self.list.push(field);
        }
    }

    /// As [`set`](Self::set), with a value over several lines: each but the first begins with a tab.
    ///
    /// RFC 9112 section 5.2 forbids to send such a field, and a recipient may refuse it. It is for those who read
    /// nothing else and have asked for it.
    ///
    /// # Errors
    /// As [`append`](Self::append), for each line.
    pub fn set_folded<'a>(
        &mut self,
        name: &[u8],
        lines: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), EditError> {
        let mut value = Vec::new();
        for line in lines {
            // A line that is empty would end in a fold of white space alone, which some take for the end of the head.
            if !token::is_value(line) || token::trim(line).is_empty() {
                return Err(EditError::ValueInvalid);
            }
            if !value.is_empty() {
                value.extend_from_slice(b"\r\n\t");
            }
            value.extend_from_slice(token::trim(line));
        }
        if !token::is_token(name) {
            return Err(EditError::NameInvalid);
        }
        let field = self.store_checked(name, &value, field::lookup(name))?;
        self.place(name, field);
        Ok(())
    }

    /// As [`set`](Self::set), for a known field in its usual spelling.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn set_known(&mut self, known: Known, value: &[u8]) -> Result<(), EditError> {
        self.set(known.name().as_bytes(), value)
    }

    /// Removes every line of a known field.
    pub fn remove_known(&mut self, known: Known) {
        self.list.retain(|field| field.known != Some(known));
    }

    /// Removes every line of that name, in any case.
    pub fn remove(&mut self, name: &[u8]) {
        self.replace(name, |_| false);
    }

    /// Keeps the fields the predicate (name, value) agrees to; order is kept.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        self.retain_known(|_, name, value| keep(name, value));
    }

    /// Keeps the fields the predicate (known field, name, value) agrees to; order is kept.
    pub fn retain_known(&mut self, mut keep: impl FnMut(Option<Known>, &[u8], &[u8]) -> bool) {
        let Fields { buf, list } = self;
        let bytes = |span: Span| buf.get(span.start as usize..span.end as usize).unwrap_or_default();
        list.retain(|field| keep(field.known, bytes(field.name), bytes(field.value)));
    }

    /// Removes every field, keeping the buffer: for a trailer section that is not to be forwarded.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// Puts bytes at the end of the buffer.
    pub(crate) fn store(&mut self, bytes: &[u8]) -> Result<Span, EditError> {
        let start = self.buf.len();
        if start.saturating_add(bytes.len()) > EDITED_HEAD_MAX {
            return Err(EditError::HeadFull);
        }
        self.buf.extend_from_slice(bytes);
        Ok(Span::new(start, self.buf.len()))
    }

    fn build(&mut self, name: &[u8], value: &[u8]) -> Result<Field, EditError> {
        if !token::is_token(name) {
            return Err(EditError::NameInvalid);
        }
        self.store_line(name, value, field::lookup(name))
    }

    /// Puts a whole line at the end of the buffer, as it is written: lines that stand one behind the other leave in one
    /// piece (see [`write_lines`](Self::write_lines)).
    fn store_line(&mut self, name: &[u8], value: &[u8], known: Option<Known>) -> Result<Field, EditError> {
        if !token::is_value(value) {
            return Err(EditError::ValueInvalid);
        }
        self.store_checked(name, token::trim(value), known)
    }

    fn store_checked(&mut self, name: &[u8], value: &[u8], known: Option<Known>) -> Result<Field, EditError> {
        let start = self.buf.len();
        let value_start = start.saturating_add(name.len()).saturating_add(colon(value).len());
        let end = value_start.saturating_add(value.len());
        if end.saturating_add(2) > EDITED_HEAD_MAX {
            return Err(EditError::HeadFull);
        }
        self.buf.reserve(end + 2 - start);
        field_line(name, value, &mut self.buf);
        Ok(Field::new(Span::new(start, start + name.len()), Span::new(value_start, end), known))
    }

    /// The lines of the fields that `wanted` agrees to, in order and in canonical form: `Name: value CRLF`, or `Name: CRLF`
    /// without the blank where there is no value. Lines that came so and stand one behind the other are one piece.
    pub(crate) fn write_lines(&self, wanted: impl Fn(Option<Known>) -> bool, out: &mut Vec<u8>) {
        let mut run = 0..0;
        for field in &self.list {
            if !wanted(field.known) {
                continue;
            }
            let line = field.name.start as usize..field.value.end as usize + 2;
            if self.is_canonical(field) {
                if line.start == run.end {
                    run.end = line.end;
                } else {
                    out.extend_from_slice(self.buf.get(run).unwrap_or_default());
                    run = line;
                }
            } else {
                out.extend_from_slice(self.buf.get(std::mem::replace(&mut run, 0..0)).unwrap_or_default());
                field_line(self.bytes(field.name), self.bytes(field.value), out);
            }
        }
        out.extend_from_slice(self.buf.get(run).unwrap_or_default());
    }

    /// How many bytes [`write_lines`](Self::write_lines) writes at most.
    pub(crate) fn lines_len(&self) -> usize {
        let len = |span: Span| (span.end - span.start) as usize;
        self.list.iter().map(|field| len(field.name) + len(field.value) + 4).sum()
    }

    /// Whether the bytes between and behind name and value are those that we would write.
    fn is_canonical(&self, field: &Field) -> bool {
        let (name_end, value) =
            (field.name.end as usize, field.value.start as usize..field.value.end as usize);
        self.buf.get(name_end..value.start) == Some(colon(self.bytes(field.value)))
            && self.buf.get(value.end..value.end.saturating_add(2)) == Some(b"\r\n")
    }

    fn replace(&mut self, name: &[u8], mut keep: impl FnMut(&mut Field) -> bool) {
        let matches = Matcher::new(name);
        let Fields { buf, list } = self;
        let bytes = |span: Span| buf.get(span.start as usize..span.end as usize).unwrap_or_default();
        list.retain_mut(|field| !matches.is(field.known, bytes(field.name)) || keep(field));
    }
}

/// `Name: value CRLF`, the only way a field is ever written; `Name:` for an empty value.
pub(crate) fn field_line(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    for piece in [name, colon(value), value, b"\r\n"] {
        out.extend_from_slice(piece);
    }
}

/// What stands between a name and this value.
fn colon(value: &[u8]) -> &'static [u8] {
    if value.is_empty() { b":" } else { b": " }
}

/// The value of the first field of this name, in any case, in lines that the codec has checked: nothing but CRLF ends one.
fn value_in<'a>(lines: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = lines;
    // An empty line ends the head.
    while rest.len() > 2 {
        let end = memchr::memchr(b'\n', rest)?;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = &rest[end + 1..];
        if let Some((found, value)) = line.split_at_checked(name.len())
            && let Some(value) = value.strip_prefix(b":")
            && found.eq_ignore_ascii_case(name)
        {
            return Some(token::trim(value));
        }
    }
    None
}

/// Compares fields with one wanted name: by table row when the name is known, by bytes otherwise.
struct Matcher<'a> {
    name: &'a [u8],
    known: Option<Known>,
}

impl<'a> Matcher<'a> {
    fn new(name: &'a [u8]) -> Self {
        Matcher { name, known: field::lookup(name) }
    }

    fn is(&self, known: Option<Known>, name: &[u8]) -> bool {
        known == self.known && (known.is_some() || name.eq_ignore_ascii_case(self.name))
    }

    fn field(&self, fields: &Fields, field: &Field) -> bool {
        self.is(field.known, fields.bytes(field.name))
    }
}
