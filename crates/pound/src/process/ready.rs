//! Telling the process that waits for us that we are ready, or that we never will be.
//!
//! A pipe: the byte 0 means ready, another one is the status that the process ends with; its end without a byte means that
//! the process is gone. It has said why itself.

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::os::fd::{AsFd, BorrowedFd};

use crate::failure::{FAILED, Failure};

const READY: u8 = 0;

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
    /// Waits until the other process is ready.
    ///
    /// # Errors
    /// It is gone, with this exit status.
    pub(crate) fn wait(mut self) -> Result<(), u8> {
        let mut byte = [FAILED];
        // read_exact goes on after an interruption by itself.
        match self.0.read_exact(&mut byte) {
            Ok(()) if byte == [READY] => Ok(()),
            _ => Err(byte[0]),
        }
    }

    /// Readable when `wait` would not have to.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Promise {
    /// Says that we are ready.
    pub(crate) fn keep(mut self) {
        // Nobody to tell any more: the one who waited was killed, which is no reason not to serve.
        let _ = self.0.write_all(&[READY]);
    }

    /// Says that we never will be, and end with this status, which is not 0.
    pub(crate) fn give_up(mut self, status: u8) {
        let _ = self.0.write_all(&[status.max(FAILED)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_promise_is_told_from_a_broken_one() {
        let (awaited, promise) = pair().unwrap();
        promise.keep();
        assert_eq!(awaited.wait(), Ok(()));
        let (awaited, promise) = pair().unwrap();
        drop(promise);
        assert_eq!(awaited.wait(), Err(FAILED));
        let (awaited, promise) = pair().unwrap();
        promise.give_up(77);
        assert_eq!(awaited.wait(), Err(77));
    }
}
