//! What went wrong, and everything that follows from it.
//!
//! A [`Fault`] says at which stage, whose fault, and why. Status code, retry, log level and counter are derived from
//! the cause in one table ([`Cause::row`]) and nowhere else.

use std::fmt;
use std::io;

use plan::Silence;
use plan::alphabet::Part;
use wire::{BodyError, FramingError, ParseError};

use crate::fresh;
use crate::limits;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The client sent what it must not, or went away.
    Client,
    /// The back-end did.
    Backend,
    /// The configuration cannot serve this request.
    Operator,
    /// We cannot.
    Us,
}

/// The stage of the route at which it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading a request head.
    Parse,
    /// Between parsed and trusted.
    Sanitize,
    /// Finding the service.
    Route,
    /// Changing the request or the answer.
    Rewrite,
    /// Answering by ourselves.
    Local,
    /// Choosing a back-end.
    Balance,
    /// Connecting to it.
    Connect,
    /// Sending the request, up to the head of the answer.
    Forward,
    /// Passing the answer on.
    Relay,
    /// After a switch of protocols.
    Tunnel,
}

/// Something went wrong with an exchange.
#[derive(Debug)]
pub struct Fault {
    /// Where.
    pub stage: Stage,
    /// Why.
    pub cause: Cause,
}

/// Why it went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// The head of the request is malformed.
    BadRequest(ParseError),
    /// The body of the request has no one length.
    BadFraming(FramingError),
    /// The body of the request breaks its framing.
    BadBody(BodyError),
    /// A method that Pound does not know.
    MethodUnknown,
    /// A known method that `xHTTP` does not let pass.
    MethodNotAllowed,
    /// The target does not match `CheckURL`.
    TargetRefused,
    /// A part of the target has a character that its set does not list (`CheckURL 1`).
    CharacterRefused(Part),
    /// The target is longer than `MaxURI`.
    TargetTooLong,
    /// A chunked body for a back-end that is known to speak HTTP/1.0 only.
    LengthRequired,
    /// The target names another scheme than the connection has.
    SchemeElsewhere,
    /// The Host goes with another certificate than the one of the connection.
    HostElsewhere,
    /// HTTP without TLS where TLS is spoken.
    PlainHttp,
    /// The body is larger than `MaxRequest`.
    BodyTooLarge,
    /// The client closed the connection before its request was complete.
    ClientClosed,
    /// The client ended the connection while its answer was waited for, or passed on.
    ClientLeft,
    /// The head of a request did not come in time.
    ClientTimeout(Silence),
    /// The client sent nothing for too long in the middle of the body of its request.
    ClientPaused(Silence),
    /// The client took nothing of its answer for too long.
    ClientReadsNothing(Silence),
    /// The client sent its body, or took its answer, more slowly than `MinRate`.
    ClientSlow,
    /// The connection to the client broke.
    ClientBroken(io::Error),
    /// No service has conditions that this request meets.
    NoService,
    /// The service is for clients that have shown a certificate, and this one has not (`RequireClientCert`).
    NoClientCertificate,
    /// The back-end is a listener of our own, and the request has gone to such ones as often as it may.
    Loop,
    /// The service has nothing that could answer.
    NothingToAnswer,
    /// The file asked for does not exist (`SendFile`).
    FileMissing,
    /// The file exists but cannot be read.
    FileUnreadable(io::Error),
    /// A condition or rewrite could not be evaluated; the sentence says which and why.
    Evaluation(String),
    /// No back-end of the service is alive.
    NoBackend,
    /// The back-end took no connection.
    ConnectFailed(io::Error),
    /// One side of an upgraded connection broke.
    TunnelBroken(io::Error),
    /// An upgraded connection was silent for longer than `WSTimeOut`.
    TunnelIdle,
    /// We have no descriptor, memory or local port left for what has to be opened.
    NoResources(io::Error),
    /// There is no memory left for what has to be read.
    NoMemory,
    /// A stop did not wait any longer, or a fault of ours ended the task.
    CutOff,
    /// The back-end and we did not agree on TLS; the sentence says why, and what would help.
    BackendTls(String),
    /// The back-end took no connection in time.
    ConnectTimeout,
    /// The back-end closed the connection without a byte of an answer.
    BackendSilent,
    /// The connection to the back-end broke before the answer was complete.
    BackendBroken(io::Error),
    /// The back-end did not answer in time.
    BackendTimeout(Silence),
    /// The back-end sent nothing for too long in the middle of its answer.
    BackendPaused(Silence),
    /// The back-end took nothing of the request for too long.
    BackendReadsNothing(Silence),
    /// The head of the answer is malformed.
    BadAnswer(ParseError),
    /// The body of the answer has no one length.
    BadAnswerFraming(FramingError),
    /// The body of the answer breaks its framing or ends early.
    BadAnswerBody(BodyError),
    /// The answer is an upgrade that was not asked for, or interim answers without end.
    AnswerUnexpected(&'static str),
}

/// Whether a request may be sent again after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It may not: something of it, or of its answer, has been used.
    Never,
    /// It may: no byte of it has reached a back-end.
    Unsent,
    /// It may if its method is idempotent (RFC 9110 section 9.2.2) and its body can be had again: what the back-end did
    /// with it is not known.
    Idempotent,
}

/// Everything that follows from a cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Whose fault.
    pub blame: Blame,
    /// Status of our answer, if none is on its way yet; 0 when there is nobody to answer.
    pub status: u16,
    /// Stable code for logs and counters.
    pub code: &'static str,
    /// What it breaks: a section of an RFC, or the directive whose bound it is.
    pub rule: &'static str,
    /// What happened, for the log and the manual; what differs from case to case is appended.
    pub sentence: &'static str,
}

macro_rules! rows {
    ($($name:ident $blame:ident $status:literal $code:literal $rule:literal $sentence:literal)*) => {
        $(pub(crate) const $name: Row =
            Row { blame: Blame::$blame, status: $status, code: $code, rule: $rule, sentence: $sentence };)*

        /// Every code that is not the codec's, in the order of the route; for the manual.
        #[cfg(test)]
        const ROWS: &[Row] = &[$($name,)*];
    };
}

rows! {
    METHOD_UNKNOWN Client 501 "E-METHOD-UNKNOWN" "RFC 9110 9.1" "unknown method"
    METHOD_NOT_ALLOWED Client 405 "E-XHTTP" "xHTTP" "the method is not allowed by xHTTP"
    TARGET_REFUSED Client 501 "E-CHECKURL" "CheckURL" "the request target does not match CheckURL"
    CHARACTER_REFUSED Client 501 "E-CHECKURL-CHAR" "CheckURL"
        "a part of the request target has a character that its set does not list"
    TARGET_TOO_LONG Client 414 "E-MAXURI" "MaxURI" "the request target is longer than MaxURI"
    LENGTH_REQUIRED Client 411 "E-LENGTH-REQUIRED" "RFC 9112 6.1"
        "a chunked body, and the back-end speaks HTTP/1.0, which has none"
    SCHEME_ELSEWHERE Client 421 "E-SCHEME-ELSEWHERE" "RFC 9110 7.4"
        "the target names another scheme than the connection has"
    HOST_ELSEWHERE Client 421 "E-HOST-ELSEWHERE" "CheckHost"
        "this host is served with a different certificate than the one of this connection"
    PLAIN_HTTP Client 400 "E-PLAIN-HTTP" "ListenHTTPS" "HTTP without TLS, and TLS is spoken here"
    BODY_TOO_LARGE Client 413 "E-MAXREQUEST" "MaxRequest" "the request body is larger than MaxRequest"
    CLIENT_CLOSED Client 0 "E-CLIENT-CLOSED" "RFC 9112 8" "the client closed the connection within a request"
    CLIENT_LEFT Client 0 "E-CLIENT-LEFT" "HalfClose" "the client left before its answer was complete"
    CLIENT_TIMEOUT Client 408 "E-CLIENT-TIMEOUT" "Client" "the client did not send a whole head within Client"
    CLIENT_PAUSED Client 408 "E-CLIENT-BODY-TIMEOUT" "StreamClient"
        "the client sent nothing in the middle of its request for longer than StreamClient"
    CLIENT_READS_NOTHING Client 0 "E-CLIENT-READ-TIMEOUT" "StreamClient"
        "the client took nothing of its answer for longer than StreamClient"
    CLIENT_SLOW Client 408 "E-CLIENT-SLOW" "MinRate" "the client moved less than MinRate asks for"
    CLIENT_BROKEN Client 0 "E-CLIENT-BROKEN" "RFC 9112 8" "the connection to the client broke"
    NO_SERVICE Operator 503 "E-NO-SERVICE" "Service" "no service matches the request"
    NO_CLIENT_CERTIFICATE Client 403 "E-CLIENT-CERT" "RequireClientCert"
        "the service is for clients with a certificate that was verified, and this one has shown none"
    NOTHING_TO_ANSWER Operator 503 "E-NO-TARGET" "Backend" "the service has no back-end"
    LOOP Operator 508 "E-LOOP" "Backend"
        "the back-end is a listener of this Pound, and the request goes round in a circle"
    ASKED Operator 0 "E-ASKED" "Error" "the configuration answers so, with the status that Error names"
    FILE_METHOD Client 405 "E-FILE-METHOD" "SendFile" "a file is read with GET and HEAD, and nothing else is done to it"
    FILE_MISSING Client 404 "E-FILE-MISSING" "SendFile" "no such file"
    FILE_UNREADABLE Operator 403 "E-FILE-UNREADABLE" "SendFile" "the file cannot be read"
    EVALUATION Us 500 "E-EVALUATION" "Rewrite" "a condition or a rewrite cannot be evaluated for this request"
    NO_BACKEND Backend 503 "E-NO-BACKEND" "Backend" "no back-end is alive"
    CONNECT_FAILED Backend 503 "E-BACKEND-CONNECT" "Backend" "the back-end takes no connection"
    NO_RESOURCES Us 503 "E-RESOURCES" "LimitNOFILE" "we have nothing left to open a connection or a file with"
    NO_MEMORY Us 503 "E-MEMORY" "MaxMemory"
        "there is no memory for the request; those who have waited longest are refused first"
    CUT_OFF Us 0 "E-CUT-OFF" "Grace" "the request was cut off because pound stopped, or by a fault of its own"
    CONNECT_TIMEOUT Backend 503 "E-BACKEND-CONNECT-TIMEOUT" "ConnTO" "the back-end took no connection within ConnTO"
    BACKEND_TLS Backend 502 "E-BACKEND-TLS" "HTTPS" "no TLS with the back-end"
    BACKEND_SILENT Backend 502 "E-BACKEND-SILENT" "RFC 9110 15.6.3"
        "the back-end closed the connection before its answer, or before the body of it"
    BACKEND_BROKEN Backend 502 "E-BACKEND-BROKEN" "RFC 9112 8" "the connection to the back-end broke"
    BACKEND_TIMEOUT Backend 504 "E-BACKEND-TIMEOUT" "TimeOut" "the back-end did not answer within TimeOut"
    BACKEND_PAUSED Backend 504 "E-BACKEND-STREAM-TIMEOUT" "StreamTimeOut"
        "the back-end sent nothing in the middle of its answer for longer than StreamTimeOut"
    BACKEND_READS_NOTHING Backend 504 "E-BACKEND-READ-TIMEOUT" "StreamTimeOut"
        "the back-end took nothing of the request for longer than StreamTimeOut"
    BAD_ANSWER Backend 502 "E-ANSWER" "RFC 9112 4" "the back-end's answer is malformed"
    BAD_ANSWER_FRAMING Backend 502 "E-ANSWER-FRAMING" "RFC 9112 6.3" "the back-end's answer has no one length"
    BAD_ANSWER_BODY Backend 502 "E-ANSWER-BODY" "RFC 9112 7" "the body of the back-end's answer is broken"
    ANSWER_UNEXPECTED Backend 502 "E-ANSWER-UNEXPECTED" "RFC 9110 15.2" "the back-end sent what nobody asked for"
    TUNNEL_BROKEN Client 0 "E-TUNNEL-BROKEN" "RFC 9110 7.8" "the upgraded connection broke"
    TUNNEL_IDLE Client 0 "E-TUNNEL-IDLE" "WSTimeOut"
        "the upgraded connection was silent for longer than WSTimeOut"
}

impl Cause {
    /// The table.
    pub fn row(&self) -> Row {
        match self {
            Cause::BadRequest(error) => codec(error.row()),
            Cause::BadFraming(error) => codec(error.row()),
            Cause::BadBody(error) => codec(error.row()),
            Cause::MethodUnknown => METHOD_UNKNOWN,
            Cause::MethodNotAllowed => METHOD_NOT_ALLOWED,
            Cause::TargetRefused => TARGET_REFUSED,
            Cause::CharacterRefused(_) => CHARACTER_REFUSED,
            Cause::TargetTooLong => TARGET_TOO_LONG,
            Cause::LengthRequired => LENGTH_REQUIRED,
            Cause::SchemeElsewhere => SCHEME_ELSEWHERE,
            Cause::HostElsewhere => HOST_ELSEWHERE,
            Cause::PlainHttp => PLAIN_HTTP,
            Cause::BodyTooLarge => BODY_TOO_LARGE,
            Cause::ClientClosed => CLIENT_CLOSED,
            Cause::ClientLeft => CLIENT_LEFT,
            Cause::ClientTimeout(_) => CLIENT_TIMEOUT,
            Cause::ClientPaused(_) => CLIENT_PAUSED,
            Cause::ClientReadsNothing(_) => CLIENT_READS_NOTHING,
            Cause::ClientSlow => CLIENT_SLOW,
            Cause::ClientBroken(_) => CLIENT_BROKEN,
            Cause::NoService => NO_SERVICE,
            Cause::NoClientCertificate => NO_CLIENT_CERTIFICATE,
            Cause::Loop => LOOP,
            Cause::NothingToAnswer => NOTHING_TO_ANSWER,
            Cause::FileMissing => FILE_MISSING,
            Cause::FileUnreadable(_) => FILE_UNREADABLE,
            Cause::Evaluation(_) => EVALUATION,
            Cause::NoBackend => NO_BACKEND,
            Cause::ConnectFailed(_) => CONNECT_FAILED,
            Cause::NoResources(_) => NO_RESOURCES,
            Cause::NoMemory => NO_MEMORY,
            Cause::CutOff => CUT_OFF,
            Cause::ConnectTimeout => CONNECT_TIMEOUT,
            Cause::BackendTls(_) => BACKEND_TLS,
            Cause::BackendSilent => BACKEND_SILENT,
            Cause::BackendBroken(_) => BACKEND_BROKEN,
            Cause::BackendTimeout(_) => BACKEND_TIMEOUT,
            Cause::BackendPaused(_) => BACKEND_PAUSED,
            Cause::BackendReadsNothing(_) => BACKEND_READS_NOTHING,
            Cause::BadAnswer(_) => BAD_ANSWER,
            Cause::BadAnswerFraming(_) => BAD_ANSWER_FRAMING,
            Cause::BadAnswerBody(_) => BAD_ANSWER_BODY,
            Cause::AnswerUnexpected(_) => ANSWER_UNEXPECTED,
            Cause::TunnelBroken(_) => TUNNEL_BROKEN,
            Cause::TunnelIdle => TUNNEL_IDLE,
        }
    }
}

/// What the codec found is always the client's fault here: the same in an answer has a cause of its own.
fn codec(row: &wire::h1::error::Row) -> Row {
    Row {
        blame: Blame::Client,
        status: row.status,
        code: row.code,
        rule: row.section,
        sentence: row.sentence,
    }
}

impl Cause {
    /// Whether the request may be sent again.
    pub fn retry(&self) -> Retry {
        match self {
            Cause::ConnectFailed(_) | Cause::ConnectTimeout | Cause::BackendTls(_) => Retry::Unsent,
            Cause::BackendSilent | Cause::BackendTimeout(_) => Retry::Idempotent,
            _ => Retry::Never,
        }
    }

    /// Whether the back-end is to be taken for dead: it takes no connection.
    pub fn is_death(&self) -> bool {
        matches!(self, Cause::ConnectFailed(_) | Cause::ConnectTimeout)
    }

    /// `cause`, unless the error is about what we lack ourselves: no peer and no file is to blame for that.
    pub(crate) fn of_opening(error: io::Error, cause: impl FnOnce(io::Error) -> Cause) -> Cause {
        // EADDRNOTAVAIL of connect(2): every local port towards that address is taken.
        const OURS: [i32; 5] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL];
        match error.raw_os_error() {
            Some(number) if OURS.contains(&number) => Cause::NoResources(error),
            _ => cause(error),
        }
    }

    /// Why a client's connection failed: mostly it is the client that broke it.
    pub(crate) fn of_client(error: io::Error) -> Cause {
        match error {
            error if is_shortage(&error) => Cause::NoMemory,
            error if fresh::is_unwatched(&error) => Cause::NoResources(error),
            error => Cause::ClientBroken(error),
        }
    }

    /// Whether the client's connection can carry no further request: we do not know where the next one begins.
    pub fn loses_framing(&self) -> bool {
        matches!(
            self,
            Cause::BadRequest(_)
                | Cause::PlainHttp
                | Cause::BadFraming(_)
                | Cause::BadBody(_)
                | Cause::ClientClosed
                | Cause::ClientLeft
                | Cause::ClientTimeout(_)
                | Cause::ClientPaused(_)
                | Cause::ClientReadsNothing(_)
                | Cause::ClientSlow
                | Cause::ClientBroken(_)
                | Cause::NoMemory
        )
    }
}

/// Whether a connection was not read from because there is no memory to read into: its peer is not to blame.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory
}

impl Fault {
    /// A fault of this cause at this stage.
    pub fn new(stage: Stage, cause: Cause) -> Fault {
        Fault { stage, cause }
    }
}

impl Fault {
    /// Whether the back-end took the connection and gave no answer on it: it closed or reset it, was silent, or did not get
    /// through the TLS handshake. A malformed answer is an answer: how it looks may hang on what the client asks for, and
    /// no client may have a back-end left out by that.
    pub(crate) fn is_no_answer(&self) -> bool {
        match self.cause {
            Cause::BackendSilent | Cause::BackendTls(_) => true,
            Cause::BackendTimeout(_) | Cause::BackendReadsNothing(_) | Cause::BackendBroken(_) => {
                self.stage == Stage::Forward
            }
            _ => false,
        }
    }

    /// Whether the back-end was silent until its time was over.
    pub(crate) fn is_silence(&self) -> bool {
        self.stage == Stage::Forward && matches!(self.cause, Cause::BackendTimeout(_))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = self.cause.row().sentence;
        match &self.cause {
            Cause::Evaluation(what) => f.write_str(what),
            Cause::CharacterRefused(part) => write!(f, "{sentence}, {}", part.directive()),
            Cause::AnswerUnexpected(what) => write!(f, "the back-end sent {what}"),
            Cause::ClientTimeout(silence) => write!(f, "the client sent no whole head for {silence}"),
            Cause::ClientPaused(silence) => {
                write!(f, "the client sent nothing for {silence} in the middle of its request")
            }
            Cause::ClientReadsNothing(silence) => write!(f, "the client took nothing for {silence}"),
            Cause::BackendTimeout(silence) => write!(
                f,
                "the back-end sent no answer for {silence}; long polling and long jobs need a longer TimeOut in \
                 their Service"
            ),
            Cause::BackendPaused(silence) => {
                write!(f, "the back-end sent nothing for {silence} in the middle of its answer")
            }
            Cause::BackendReadsNothing(silence) => {
                write!(f, "the back-end took nothing of the request for {silence}")
            }
            Cause::BackendTls(reason) => write!(f, "{sentence}: {reason}"),
            Cause::Loop => write!(
                f,
                "{sentence}, {} times so far; correct Address or Port of this Backend, or the conditions that lead to it",
                limits::HOPS
            ),
            Cause::ClientBroken(error)
            | Cause::FileUnreadable(error)
            | Cause::ConnectFailed(error)
            | Cause::NoResources(error)
            | Cause::BackendBroken(error)
            | Cause::TunnelBroken(error) => write!(f, "{sentence}: {error}"),
            Cause::BadAnswer(error) => write!(f, "{sentence}: {error}"),
            Cause::BadAnswerFraming(error) => write!(f, "{sentence}: {error}"),
            Cause::BadAnswerBody(error) => write!(f, "{sentence}: {error}"),
            _ => f.write_str(sentence),
        }
    }
}

#[cfg(test)]
mod tests;
