//! TLS of listeners: names of files and what is wanted of them. The engine reads the files.

use plan::ServerTls;
use plan::tls::FileName;

use super::{ListenerDraft, Lowering};
use crate::lex::Word;
use crate::syntax::Statement;

impl Lowering<'_> {
    /// A file that a directive names and the engine will read.
    pub(crate) fn file_name(&self, statement: &Statement, word: &Word) -> FileName {
        let sources = &self.diagnostics.sources;
        let (line, _) = sources.line_column(word.span);
        FileName {
            path: self.path(statement, &word.text),
            directive: statement.row.name,
            place: format!("{}:{line}", sources.name(word.span.source)),
        }
    }

    /// How a `ListenHTTPS` speaks TLS.
    pub(super) fn server_tls(
        &mut self,
        draft: &mut ListenerDraft,
        statement: &Statement,
    ) -> Option<ServerTls> {
        if draft.certificates.is_empty() && !statement.faulty {
            self.missing(
                statement.keyword,
                "this ListenHTTPS has no Cert",
                "Cert \"FILE|DIRECTORY|PATTERN\" in it",
            );
            return None;
        }
        Some(ServerTls {
            certificates: std::mem::take(&mut draft.certificates),
            strict_sni: draft.strict_sni,
            check_host: draft.check_host.unwrap_or(true),
        })
    }
}
