//! TLS of listeners: names of files and what is wanted of them. The engine reads the files.

use plan::condition::Condition;
use plan::tls::{BackendTls, CheckHost, ClientCertificates, Demand, FileName, Verify};
use plan::{Listener, ServerTls};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

use super::{BackendDraft, ListenerDraft, Lowering};
use crate::diagnostic::Diagnostic;
use crate::lex::Word;
use crate::source::{Span, TEXT_BYTES_MAX};
use crate::syntax::Statement;
use crate::value::{self, Host};

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

/// `CheckHost`. A file without it may be one of an older Pound, for which nobody compared certificates and names: the
/// milder rule holds there, see `server_tls`.
pub(crate) fn check_host(cx: &mut Lowering<'_>, draft: &mut ListenerDraft, statement: &Statement) {
    let word = &statement.arguments[0];
    draft.check_host = match (&*word.text, value::boolean(&word.text)) {
        (name, _) if name.eq_ignore_ascii_case("name") => Some(CheckHost::Name),
        (_, Ok(true)) => Some(CheckHost::Certificate),
        (_, Ok(false)) => Some(CheckHost::No),
        (_, Err(_)) => cx.refuse(word, "expected yes, name or no"),
    };
}

/// `SSLAllowClientRenegotiation`
pub(crate) fn renegotiation(cx: &mut Lowering<'_>, _: &mut ListenerDraft, statement: &Statement) {
    if cx.number(&statement.arguments[0], 0, 2).is_some_and(|allowed| allowed > 0) {
        cx.push(
            Diagnostic::warning(statement.span, "clients cannot agree on new keys within a connection")
                .help("TLS 1.3 has no such thing, and in TLS 1.2 it was a way in; honest clients do without"),
        );
    }
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

/// `Verify` of a back-end.
pub(crate) fn verify(cx: &mut Lowering<'_>, draft: &mut BackendDraft, statement: &Statement) {
    let word = &statement.arguments[0];
    let verify = match word.text.strip_prefix("sha256:") {
        Some(digits) => match sha256(digits) {
            Some(digest) => Verify::Pinned(digest),
            None => {
                cx.refuse::<()>(word, "expected 64 hexadecimal digits behind sha256:");
                return;
            }
        },
        None => match value::boolean(&word.text) {
            Ok(true) => Verify::Signed(None),
            Ok(false) => Verify::No,
            Err(_) => {
                cx.refuse::<()>(word, "expected yes, no, or \"sha256:\" and 64 hexadecimal digits");
                return;
            }
        },
    };
    draft.verify = Some((verify, statement.span));
}

fn sha256(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|&c| c != ':')
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let mut digest = [0; 32];
    if digits.len() != 2 * digest.len() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair[0] << 4 | pair[1];
    }
    Some(digest)
}

/// `ServerName`
pub(crate) fn server_name(cx: &mut Lowering<'_>, draft: &mut BackendDraft, statement: &Statement) {
    let word = &statement.arguments[0];
    match ServerName::try_from(&*word.text) {
        Ok(ServerName::DnsName(_)) => draft.server_name = Some((word.text.to_string(), statement.span)),
        _ => {
            cx.refuse::<()>(word, "expected the name of a host");
        }
    }
}

impl BackendDraft {
    /// Where something is said that makes sense with HTTPS alone.
    pub(super) fn about_tls(&self) -> Option<Span> {
        let places = [
            self.certificate.as_ref().map(|(_, span)| *span),
            self.authorities.as_ref().map(|(_, span)| *span),
            self.verify.as_ref().map(|(_, span)| *span),
            self.server_name.as_ref().map(|(_, span)| *span),
            self.policy.place(),
        ];
        places.into_iter().flatten().next()
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
    /// How a back-end is spoken to; `None` if that makes no sense.
    pub(super) fn backend_tls(&mut self, draft: &mut BackendDraft) -> Option<Option<BackendTls>> {
        let Some(span) = draft.https else {
            let Some(span) = draft.about_tls() else { return Some(None) };
            self.push(
                Diagnostic::error(span, "this concerns HTTPS, and the back-end is spoken to without it")
                    .help("add a line HTTPS to the back-end"),
            );
            return None;
        };
        let authorities = draft.authorities.take();
        let verify = match (draft.verify.take(), authorities) {
            (None | Some((Verify::Signed(_), _)), file) => Verify::Signed(file.map(|(file, _)| file)),
            (Some((verify, _)), None) => verify,
            (Some((_, verify)), Some((_, authorities))) => {
                self.push(
                    Diagnostic::error(authorities, "no signature is looked at, so nobody has to be believed")
                        .related(verify, "because of this line")
                        .help("leave out one of the two"),
                );
                return None;
            }
        };
        let server_name = draft.server_name.take().map(|(name, _)| name);
        if matches!(draft.address, Some(Host::Unix(_)))
            && server_name.is_none()
            && matches!(verify, Verify::Signed(_))
        {
            self.push(
                Diagnostic::error(span, "a Unix socket has no name that a certificate could be for")
                    .help("add ServerName \"NAME\", or say how it is judged with Verify"),
            );
            return None;
        }
        let policy = std::mem::take(&mut draft.policy).finish(self)?;
        let (line, _) = self.diagnostics.sources.line_column(span);
        Some(Some(BackendTls {
            server_name,
            certificate: draft.certificate.take().map(|(file, _)| file),
            verify,
            policy,
            place: format!("{}:{line}", self.diagnostics.sources.name(span.source)),
        }))
    }

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
            check_host: draft.check_host.unwrap_or(CheckHost::Name),
            client: self.client(draft)?,
            policy: std::mem::take(&mut draft.policy).finish(self)?,
        })
    }

    fn client(&mut self, draft: &mut ListenerDraft) -> Option<ClientCertificates> {
        let (demand, depth, span) = match draft.demand {
            Some((demand, depth, span)) => (demand, depth, Some(span)),
            None => (Demand::None, DEPTH, None),
        };
        let announced = draft.announced.take();
        let authorities = draft.authorities.take().or_else(|| announced.clone());
        let (demand, verifies) = match demand {
            // C Pound takes it. No certificate can pass there, so that to ask for none gives the same to all.
            Demand::Ask if authorities.is_none() => {
                if let Some(span) = span {
                    self.push(
                        Diagnostic::warning(
                            span,
                            "clients are not asked for certificates: nobody is named whose signature counts",
                        )
                        .label("expected VerifyList \"FILE\" beside it")
                        .help("ClientCert 3 asks for certificates and does not verify them"),
                    );
                }
                (Demand::None, false)
            }
            demand => (demand, matches!(demand, Demand::Ask | Demand::Require)),
        };
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
