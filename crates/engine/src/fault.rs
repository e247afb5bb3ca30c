//! What went wrong, and everything that follows from it.
//!
//! A [`Fault`] says at which stage, whose fault, and why. Status code, retry, log level and counter are derived from
//! the cause in one table ([`Cause::row`]) and nowhere else.

use std::fmt;
use std::io;

use wire::{BodyError, FramingError, ParseError};

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
    /// The target is longer than `MaxURI`.
    TargetTooLong,
    /// A chunked body for a back-end that is known to speak HTTP/1.0 only.
    LengthRequired,
    /// The target names another scheme than the connection has.
    SchemeElsewhere,
    /// The body is larger than `MaxRequest`.
    BodyTooLarge,
    /// The client closed the connection before its request was complete.
    ClientClosed,
    /// The client was silent for too long within a request.
    ClientTimeout,
    /// The connection to the client broke.
    ClientBroken(io::Error),
    /// No service has conditions that this request meets.
    NoService,
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
    /// The back-end took no connection in time.
    ConnectTimeout,
    /// The back-end closed the connection without a byte of an answer.
    BackendSilent,
    /// The connection to the back-end broke before the answer was complete.
    BackendBroken(io::Error),
    /// The back-end did not answer in time.
    BackendTimeout,
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
}

impl Cause {
    /// The table.
    pub fn row(&self) -> Row {
        use Blame::{Backend, Client, Operator, Us};
        let row = |blame, status, code| Row { blame, status, code };
        match self {
            Cause::BadRequest(error) => row(Client, error.status(), error.code()),
            Cause::BadFraming(error) => row(Client, error.status(), error.code()),
            Cause::BadBody(error) => row(Client, error.status(), error.code()),
            Cause::MethodUnknown => row(Client, 400, "E-METHOD-UNKNOWN"),
            Cause::MethodNotAllowed => row(Client, 405, "E-XHTTP"),
            Cause::TargetRefused => row(Client, 501, "E-CHECKURL"),
            Cause::TargetTooLong => row(Client, 414, "E-MAXURI"),
            Cause::LengthRequired => row(Client, 411, "E-LENGTH-REQUIRED"),
            Cause::SchemeElsewhere => row(Client, 421, "E-SCHEME-ELSEWHERE"),
            Cause::BodyTooLarge => row(Client, 413, "E-MAXREQUEST"),
            Cause::ClientClosed => row(Client, 0, "E-CLIENT-CLOSED"),
            Cause::ClientTimeout => row(Client, 408, "E-CLIENT-TIMEOUT"),
            Cause::ClientBroken(_) => row(Client, 0, "E-CLIENT-BROKEN"),
            Cause::NoService => row(Operator, 503, "E-NO-SERVICE"),
            Cause::NothingToAnswer => row(Operator, 503, "E-NO-TARGET"),
            Cause::FileMissing => row(Client, 404, "E-FILE-MISSING"),
            Cause::FileUnreadable(_) => row(Operator, 403, "E-FILE-UNREADABLE"),
            Cause::Evaluation(_) => row(Us, 500, "E-EVALUATION"),
            Cause::NoBackend => row(Backend, 503, "E-NO-BACKEND"),
            Cause::ConnectFailed(_) => row(Backend, 503, "E-CONNECT"),
            Cause::ConnectTimeout => row(Backend, 503, "E-CONNECT-TIMEOUT"),
            Cause::TunnelBroken(_) => row(Client, 0, "E-TUNNEL-BROKEN"),
            Cause::TunnelIdle => row(Client, 0, "E-TUNNEL-IDLE"),
            Cause::BackendSilent => row(Backend, 502, "E-BACKEND-SILENT"),
            Cause::BackendBroken(_) => row(Backend, 502, "E-BACKEND-BROKEN"),
            Cause::BackendTimeout => row(Backend, 504, "E-BACKEND-TIMEOUT"),
            Cause::BadAnswer(_) => row(Backend, 502, "E-ANSWER"),
            Cause::BadAnswerFraming(_) => row(Backend, 502, "E-ANSWER-FRAMING"),
            Cause::BadAnswerBody(_) => row(Backend, 502, "E-ANSWER-BODY"),
            Cause::AnswerUnexpected(_) => row(Backend, 502, "E-ANSWER-UNEXPECTED"),
        }
    }
}

impl Cause {
    /// Whether the request may be sent again.
    pub fn retry(&self) -> Retry {
        match self {
            Cause::ConnectFailed(_) | Cause::ConnectTimeout => Retry::Unsent,
            Cause::BackendSilent => Retry::Idempotent,
            _ => Retry::Never,
        }
    }

    /// Whether the back-end is to be taken for dead: it takes no connection.
    pub fn is_death(&self) -> bool {
        matches!(self, Cause::ConnectFailed(_) | Cause::ConnectTimeout)
    }

    /// Whether the client's connection can carry no further request: we do not know where the next one begins.
    pub fn loses_framing(&self) -> bool {
        matches!(
            self,
            Cause::BadRequest(_)
                | Cause::BadFraming(_)
                | Cause::BadBody(_)
                | Cause::ClientClosed
                | Cause::ClientTimeout
                | Cause::ClientBroken(_)
        )
    }
}

impl Fault {
    /// A fault of this cause at this stage.
    pub fn new(stage: Stage, cause: Cause) -> Fault {
        Fault { stage, cause }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::BadRequest(error) => error.fmt(f),
            Cause::BadFraming(error) => error.fmt(f),
            Cause::BadBody(error) => error.fmt(f),
            Cause::MethodUnknown => f.write_str("unknown method"),
            Cause::MethodNotAllowed => f.write_str("the method is not allowed by xHTTP"),
            Cause::TargetRefused => f.write_str("the request target does not match CheckURL"),
            Cause::TargetTooLong => f.write_str("the request target is longer than MaxURI"),
            Cause::LengthRequired => {
                f.write_str("a chunked body, and the back-end speaks HTTP/1.0, which has none")
            }
            Cause::SchemeElsewhere => f.write_str("the target names another scheme than the connection has"),
            Cause::BodyTooLarge => f.write_str("the request body is larger than MaxRequest"),
            Cause::ClientClosed => f.write_str("the client closed the connection within a request"),
            Cause::ClientTimeout => f.write_str("the client was silent for longer than Client allows"),
            Cause::ClientBroken(error) => write!(f, "the connection to the client broke: {error}"),
            Cause::NoService => f.write_str("no service matches the request"),
            Cause::NothingToAnswer => f.write_str("the service has no back-end"),
            Cause::FileMissing => f.write_str("no such file"),
            Cause::FileUnreadable(error) => write!(f, "the file cannot be read: {error}"),
            Cause::Evaluation(sentence) => f.write_str(sentence),
            Cause::NoBackend => f.write_str("no back-end is alive"),
            Cause::ConnectFailed(error) => write!(f, "the back-end takes no connection: {error}"),
            Cause::ConnectTimeout => f.write_str("the back-end took no connection within ConnTO"),
            Cause::TunnelBroken(error) => write!(f, "the upgraded connection broke: {error}"),
            Cause::TunnelIdle => f.write_str("the upgraded connection was silent for longer than WSTimeOut"),
            Cause::BackendSilent => f.write_str("the back-end closed the connection without an answer"),
            Cause::BackendBroken(error) => write!(f, "the connection to the back-end broke: {error}"),
            Cause::BackendTimeout => f.write_str("the back-end did not answer within TimeOut"),
            Cause::BadAnswer(error) => write!(f, "the back-end's answer is malformed: {error}"),
            Cause::BadAnswerFraming(error) => write!(f, "the back-end's answer has no one length: {error}"),
            Cause::BadAnswerBody(error) => write!(f, "the body of the back-end's answer is broken: {error}"),
            Cause::AnswerUnexpected(what) => write!(f, "the back-end sent {what}"),
        }
    }
}
