//! Time-outs: of back-ends, what is said nearest to them; of clients, what their listener says or the file for all.
//!
//! A stream that has begun has a word of its own, which is looked for first, from the inside to the outside. A file that
//! has no such word was written when `TimeOut` and `Client` held for streams too, and means what it meant.

use std::time::Duration;

use plan::{Silence, Times, limits};

use super::{BoundsDraft, Lowering, ServiceDraft};
use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// Times that were given in one place.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct TimesDraft {
    pub(crate) answer: Option<Duration>,
    pub(crate) connect: Option<Duration>,
    pub(crate) stream: Option<Duration>,
    pub(crate) tunnel: Option<Duration>,
    /// The place of one of them.
    pub(crate) span: Option<Span>,
}

impl TimesDraft {
    /// What is said here, and where nothing is, what `outer` says.
    pub(crate) fn or(self, outer: TimesDraft) -> TimesDraft {
        TimesDraft {
            answer: self.answer.or(outer.answer),
            connect: self.connect.or(outer.connect),
            stream: self.stream.or(outer.stream),
            tunnel: self.tunnel.or(outer.tunnel),
            span: self.span.or(outer.span),
        }
    }

    /// For `Emergency`: the `TimeOut` of the file is not about those who answer when all else is down.
    pub(crate) fn without_answer(self) -> TimesDraft {
        TimesDraft { answer: None, ..self }
    }

    /// The times of a back-end about which this is all that is said; `answer` is how long it may think otherwise.
    pub(crate) fn finish(self, answer: Duration) -> Times {
        let stream = match (self.stream, self.answer) {
            (Some(time), _) => Silence::new(time, "StreamTimeOut"),
            (None, Some(time)) => Silence::new(time, "TimeOut"),
            (None, None) => Silence::new(limits::STREAM_TIMEOUT.max(answer), "StreamTimeOut"),
        };
        let answer = self.answer.unwrap_or(answer);
        Times {
            answer: Silence::new(answer, "TimeOut"),
            connect: self.connect.unwrap_or(answer),
            stream,
            tunnel: self.tunnel.unwrap_or(limits::TUNNEL_TIMEOUT),
        }
    }
}

/// How long a client may wait with a head, and how long within a body: what the listener says, else the file.
pub(crate) fn of_clients(listener: &BoundsDraft, global: &BoundsDraft) -> (Duration, Silence) {
    let client = listener.client.or(global.client);
    let stream = match (listener.stream_client.or(global.stream_client), client) {
        (Some(time), _) => Silence::new(time, "StreamClient"),
        (None, Some(time)) => Silence::new(time, "Client"),
        (None, None) => Silence::new(limits::STREAM_CLIENT, "StreamClient"),
    };
    (client.unwrap_or(limits::CLIENT_TIMEOUT), stream)
}

impl Lowering<'_> {
    /// Times that nothing in the service goes by are a slip.
    pub(crate) fn warn_of_idle_times(&mut self, draft: &ServiceDraft) {
        if let Some(span) = draft.times.span {
            self.push(Diagnostic::warning(
                span,
                "a time-out has no effect in a service that has no back-ends",
            ));
        }
    }
}
