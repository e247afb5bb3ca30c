//! Access lists: with a name, in a file, in place.

use std::sync::Arc;

use plan::Acl;
use plan::condition::Condition;

use super::Lowering;
use crate::diagnostic::Diagnostic;
use crate::lex::Word;
use crate::suggest;
use crate::syntax::{Statement, Tree};

/// `ACL "name"` outside of all blocks.
pub(crate) fn define(cx: &mut Lowering<'_>, statement: &Statement) {
    let Some(read) = cx.acl_words(statement, false) else { return };
    let Some(name) = read.name else {
        return cx.missing(
            statement.span,
            "an ACL outside of all blocks needs a name",
            &statement.row.usage(),
        );
    };
    let acl = match read.list {
        Some(list) => list,
        None => return,
    };
    if let Some((_, first)) = cx.acls.get(&name.text) {
        let first = *first;
        let message = format!("there is already an ACL {:?}", name.text);
        return cx.push(Diagnostic::error(name.span, message).related(first, "the first one"));
    }
    cx.acls.insert(name.text.clone(), (acl, name.span));
}

/// `ACL` as a condition.
pub(crate) fn condition(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    let read = cx.acl_words(statement, true)?;
    let acl = match (read.list, read.name) {
        (Some(list), None) => list,
        (None, Some(name)) => cx.named_acl(name)?,
        (Some(_), Some(name)) => return cx.refuse(name, "expected either the name of an ACL or a file"),
        (None, None) => return None,
    };
    Some(Condition::Acl { acl, forwarded: read.forwarded })
}

struct Read<'a> {
    name: Option<&'a Word>,
    list: Option<Arc<Acl>>,
    forwarded: bool,
}

impl Lowering<'_> {
    /// `TrustedIP`: a name, a file or a block.
    pub(crate) fn acl_reference(&mut self, statement: &Statement) -> Option<Arc<Acl>> {
        let read = self.acl_words(statement, false)?;
        match (read.list, read.name) {
            (Some(list), None) => Some(list),
            (None, Some(name)) => self.named_acl(name),
            (Some(_), Some(name)) => self.refuse(name, "expected either the name of an ACL or a file"),
            (None, None) => None,
        }
    }

    fn named_acl(&mut self, name: &Word) -> Option<Arc<Acl>> {
        if let Some((acl, _)) = self.acls.get(&name.text) {
            return Some(acl.clone());
        }
        if Acl::entry(&name.text).is_ok() {
            let help = format!("addresses stand in a block, one a line:\nACL\n    {}\nEnd", name.text);
            self.push(Diagnostic::error(name.span, format!("there is no ACL {:?}", name.text)).help(help));
            return None;
        }
        let nearest = suggest::nearest(&name.text, self.acls.keys().map(|name| &**name)).map(str::to_owned);
        self.push(
            Diagnostic::error(name.span, format!("there is no ACL {:?}", name.text))
                .label("expected the name of an ACL that stands outside of all blocks")
                .help_if(nearest.map(|name| format!("did you mean {name:?}?"))),
        );
        None
    }

    fn acl_words<'a>(&mut self, statement: &'a Statement, forwarded_allowed: bool) -> Option<Read<'a>> {
        let mut read = Read { name: None, list: None, forwarded: false };
        let mut file = None;
        let mut words = statement.arguments.iter();
        while let Some(word) = words.next() {
            match word.text.to_ascii_lowercase().as_str() {
                "-forwarded" if word.is_flag() && forwarded_allowed => read.forwarded = true,
                option @ ("-file" | "-filewatch") if word.is_flag() => match words.next() {
                    Some(name) => file = Some((name, option == "-filewatch")),
                    None => {
                        self.lacks_value(word, "the name of a file");
                        return None;
                    }
                },
                _ if word.is_flag() => {
                    let known: &[&str] = if forwarded_allowed {
                        &["-forwarded", "-file", "-filewatch"]
                    } else {
                        &["-file", "-filewatch"]
                    };
                    self.unknown_option(word, known);
                    return None;
                }
                _ if read.name.is_some() => {
                    return self.refuse(word, format!("expected: {}", statement.row.usage()));
                }
                _ => read.name = Some(word),
            }
        }
        read.list = match (&statement.body, file) {
            (Tree::Entries(entries), _) => Some(self.acl_entries(entries)),
            (_, Some((name, true))) => {
                let (path, networks) = self.read_list(statement, name, Acl::entries)?;
                let acl = Arc::new(Acl::watched(networks, path));
                self.watched.push(acl.clone());
                Some(acl)
            }
            (_, Some((name, false))) => {
                let (_, networks) = self.read_list(statement, name, Acl::entries)?;
                Some(Arc::new(Acl::new(networks)))
            }
            _ => None,
        };
        Some(read)
    }

    fn acl_entries(&mut self, entries: &[Word]) -> Arc<Acl> {
        let mut networks = Vec::with_capacity(entries.len());
        for entry in entries.iter().filter(|entry| !entry.bad) {
            match Acl::entry(&entry.text) {
                Ok(network) => networks.push(network),
                Err(_) => {
                    self.refuse::<()>(
                        entry,
                        "expected an address or a network, such as 192.0.2.0/24 or 2001:db8::/32",
                    );
                }
            }
        }
        Arc::new(Acl::new(networks))
    }
}
