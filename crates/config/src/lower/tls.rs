//! TLS of listeners: names of files and what is wanted of them. The engine reads the files.

use plan::condition::Condition;
use plan::tls::{ClientCertificates, Demand, FileName};
use plan::{Listener, ServerTls};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::{ListenerDraft, Lowering};
use crate::diagnostic::Diagnostic;
use crate::lex::Word;
use crate::source::TEXT_BYTES_MAX;
use crate::syntax::Statement;

/// How many authorities may stand between a certificate and one that we believe, where nothing else is said.
const DEPTH: u32 = 9;

/// `ClientCert` of a listener.
pub(crate) fn client_certificates(cx: &mut Lowering<'_>, draft: &mut ListenerDraft, statement: &Statement) {
    let depth = match statement.arguments.get(1) {
        Some(word) => match cx.number(word, 0, 100) {
            Some(depth) => depth as u32,
            None => return,
        },
        None => DEPTH,
    };
    let demand = cx.number(&statement.arguments[0], 0, 3).map(|level| match level {
        0 => Demand::None,
        1 => Demand::Ask,
        2 => Demand::Require,
        _ => Demand::Unverified,
    });
    draft.demand = demand.map(|demand| (demand, depth, statement.span));
}

/// `ClientCert` of a service.
pub(crate) fn client_certificate(cx: &mut Lowering<'_>, statement: &Statement) -> Option<Condition> {
    let word = &statement.arguments[0];
    let (path, pem) = cx.read(statement, word, TEXT_BYTES_MAX)?;
    match CertificateDer::from_pem_slice(&pem) {
        Ok(certificate) => Some(Condition::ClientCertificate(certificate.to_vec().into())),
        Err(error) => {
            let message = format!("there is no certificate in {}: {error}", path.display());
            cx.push(Diagnostic::error(word.span, message).label("expected a file of PEM"));
            None
        }
    }
}

/// A listener that has a service for a certificate asks its clients for one.
pub(super) fn ask_for_conditions(listener: &mut Listener) {
    fn asks(condition: &Condition) -> bool {
        match condition {
            Condition::ClientCertificate(_) => true,
            Condition::All(parts) | Condition::Any(parts) => parts.iter().any(asks),
            Condition::Not(part) => asks(part),
            _ => false,
        }
    }
    let wanted = listener.services.iter().any(|service| asks(&service.condition));
    if let Some(tls) = &mut listener.tls
        && tls.client.demand == Demand::None
        && wanted
    {
        tls.client.demand = Demand::Unverified;
    }
}

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
            client: self.client(draft)?,
        })
    }

    fn client(&mut self, draft: &mut ListenerDraft) -> Option<ClientCertificates> {
        let (demand, depth, span) = match draft.demand {
            Some((demand, depth, span)) => (demand, depth, Some(span)),
            None => (Demand::None, DEPTH, None),
        };
        let announced = draft.announced.take();
        let authorities = draft.authorities.take().or_else(|| announced.clone());
        let verifies = matches!(demand, Demand::Ask | Demand::Require);
        if let Some(span) = span.filter(|_| verifies && authorities.is_none()) {
            self.push(
                Diagnostic::error(span, "nobody is named whose signature on a client's certificate counts")
                    .label("expected VerifyList \"FILE\" beside it")
                    .help("ClientCert 3 asks for certificates and does not verify them"),
            );
            return None;
        }
        Some(ClientCertificates { demand, depth, authorities, announced, revoked: draft.revoked.take() })
    }
}
