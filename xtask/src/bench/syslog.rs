//! A log daemon that takes everything and keeps nothing, where the machine has none.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Failure;

/// Where programs send their log lines.
const SOCKET: &str = "/dev/log";

/// The longest line taken, in bytes.
const LINE_MAX: usize = 64 * 1024;

/// Ours, while it lives.
pub(super) struct Sink {
    lines: Arc<AtomicU64>,
}

impl Sink {
    /// Listens, unless somebody does already: his disk is not what we came to fill.
    pub(super) fn begin() -> Result<Self, Failure> {
        let path = Path::new(SOCKET);
        if path.exists() && UnixDatagram::unbound().is_ok_and(|socket| socket.connect(path).is_ok()) {
            return Err(Failure::new(format!(
                "a log daemon listens on {SOCKET}, which is not to be flooded"
            )));
        }
        // What an ended daemon left.
        let _ = std::fs::remove_file(path);
        let socket = UnixDatagram::bind(path)
            .map_err(|error| Failure::new(format!("cannot listen on {SOCKET}: {error}")))?;
        let lines = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lines);
        // It ends with the process: nothing can wake it but a line.
        std::thread::spawn(move || {
            let mut line = vec![0; LINE_MAX];
            while socket.recv(&mut line).is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(Sink { lines })
    }

    /// How many lines came so far.
    pub(super) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(SOCKET);
    }
}
