//! What only ioctl(2) says of a socket.

use std::os::fd::{AsRawFd, BorrowedFd};

/// Bytes in the socket's send queue that the other end has not acknowledged; 0 if the system does not say.
pub(crate) fn queued(socket: BorrowedFd<'_>) -> u64 {
    let mut bytes: libc::c_int = 0;
    // SAFETY: TIOCOUTQ, which for sockets is SIOCOUTQ, writes one int to the address that it is given; `bytes` is one and
    // lives through the call. The descriptor is open, since it is borrowed.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result == 0 { u64::try_from(bytes).unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn what_nobody_takes_is_queued() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        assert_eq!(queued(near.as_fd()), 0);
        let mut written = 0;
        while let Ok(bytes) = near.write(&[0; 65536]) {
            written += bytes as u64;
        }
        let before = queued(near.as_fd());
        assert!(before > 0 && before <= written, "{before} of {written}");
        let mut taken = vec![0; usize::try_from(written).unwrap()];
        far.read_exact(&mut taken).unwrap();
        // The last acknowledgement may take a moment.
        while queued(near.as_fd()) > 0 {
            std::thread::yield_now();
        }
    }
}
