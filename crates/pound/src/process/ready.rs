//! Telling the process that waits for us that we are ready, or that we never will be.
//!
//! A pipe: one byte means ready; its end without a byte means that the process is gone, and has said why itself.

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};

use crate::failure::Failure;

/// The waiting side.
#[derive(Debug)]
pub(crate) struct Awaited(PipeReader);

/// The side that gets ready.
#[derive(Debug)]
pub(crate) struct Promise(PipeWriter);

/// A pair; after the fork each process drops the side that is not its own.
pub(crate) fn pair() -> Result<(Awaited, Promise), Failure> {
    let (reader, writer) = pipe().map_err(|error| Failure::new(format!("cannot make a pipe: {error}")))?;
    Ok((Awaited(reader), Promise(writer)))
}

impl Awaited {
    /// Waits until the other process is ready (true) or gone (false).
    pub(crate) fn wait(mut self) -> bool {
        let mut byte = [0];
        // read_exact goes on after an interruption by itself.
        self.0.read_exact(&mut byte).is_ok()
    }
}

impl Promise {
    /// Says that we are ready.
    pub(crate) fn keep(mut self) {
        // Nobody to tell any more: the one who waited was killed, which is no reason not to serve.
        let _ = self.0.write_all(b"+");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_promise_is_told_from_a_broken_one() {
        let (awaited, promise) = pair().unwrap();
        promise.keep();
        assert!(awaited.wait());
        let (awaited, promise) = pair().unwrap();
        drop(promise);
        assert!(!awaited.wait());
    }
}
