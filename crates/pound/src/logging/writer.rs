//! The thread that takes lines out of the engine's ring and writes them.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, atomic::AtomicBool, atomic::Ordering};
use std::time::Duration;

use engine::log::{Drain, Kind, Record, Severity};

use super::Sink;
use crate::failure::Failure;

/// How long the thread sleeps when no line comes; a line wakes it. It looks for our own events and for its end then.
const IDLE: Duration = Duration::from_millis(250);
/// Events of the daemon itself that may wait for the thread; there is one a signal, so this is plenty.
const EVENTS_MAX: usize = 64;
/// How long the end of the process may wait for the last lines: a disk that hangs must not hang the stop.
const FAREWELL: Duration = Duration::from_secs(2);

/// The running thread.
#[derive(Debug)]
pub(crate) struct Writer {
    events: SyncSender<(Severity, String)>,
    ending: Arc<AtomicBool>,
    done: Receiver<()>,
}

impl Writer {
    /// Starts it.
    pub(crate) fn start(drain: Drain, sink: Sink) -> Result<Writer, Failure> {
        let (events, inbox) = sync_channel(EVENTS_MAX);
        let (finished, done) = sync_channel(1);
        let ending = Arc::new(AtomicBool::new(false));
        let flag = ending.clone();
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || {
                run(drain, sink, &inbox, &flag);
                let _ = finished.send(());
            })
            .map_err(|error| Failure::new(format!("cannot start the thread that writes the log: {error}")))?;
        Ok(Writer { events, ending, done })
    }

    /// Logs an event of the daemon itself.
    pub(crate) fn event(&self, severity: Severity, text: impl Into<String>) {
        match self.events.try_send((severity, text.into())) {
            // The thread is stuck on a disk, and 64 signals have come: one more changes nothing.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// Writes what is there and ends; false if that took too long and the last lines are lost.
    pub(crate) fn finish(self) -> bool {
        self.ending.store(true, Ordering::Release);
        !matches!(self.done.recv_timeout(FAREWELL), Err(RecvTimeoutError::Timeout))
    }
}

fn run(mut drain: Drain, mut sink: Sink, inbox: &Receiver<(Severity, String)>, ending: &AtomicBool) {
    let mut owed = 0;
    loop {
        // Read before the ring is emptied: what was in it when the end was asked for is still written.
        let last = ending.load(Ordering::Acquire);
        if !last {
            drain.wait(IDLE);
        }
        // Our own first: the start of the server belongs before its first request.
        for (severity, text) in inbox.try_iter() {
            sink.write(Record { kind: Kind::Event, severity, text: text.as_bytes() });
        }
        owed += drain.take(&mut |record| sink.write(record));
        owed = confess(&mut sink, owed);
        if last {
            return;
        }
    }
}

/// Flushes, and says how many lines were lost so far. Returns what could not be said either.
fn confess(sink: &mut Sink, owed: u64) -> u64 {
    let owed = owed + sink.flush();
    if owed == 0 {
        return 0;
    }
    let text = format!("{owed} log {} dropped", if owed == 1 { "line was" } else { "lines were" });
    sink.write(Record { kind: Kind::Event, severity: Severity::Warning, text: text.as_bytes() });
    // The line that says so is not counted itself if it is lost: the sum stays that of the lines that mattered.
    if sink.flush() == 0 { 0 } else { owed }
}
