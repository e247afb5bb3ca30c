//! The floor for a proxy on our runtime: bytes copied between pairs of sockets, one task per pair.
//!
//! One thread with tokio's `LocalRuntime`, as pound's workers have; one connection to the origin for
//! each of the client's, no look at the bytes.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::task::{Context, Poll};

use tokio::net::{TcpListener, TcpStream};

/// Bytes moved per read. On loopback 16 KiB cost 490 ms of CPU per GiB, 64 KiB 210 and 256 KiB 135 (sum of both ends).
const BUFFER: usize = 256 * 1024;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, origin] = arguments.as_slice() else {
        eprintln!("Usage: bench-limit-tokio ADDRESS:PORT ORIGIN:PORT");
        return ExitCode::from(2);
    };
    match run(listen, origin) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-limit-tokio {listen} {origin}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(listen: &str, origin: &str) -> std::io::Result<()> {
    let origin: SocketAddr =
        origin.parse().map_err(|error| std::io::Error::new(ErrorKind::InvalidInput, error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        loop {
            let (client, _) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            tokio::task::spawn_local(async move {
                // A pair that breaks is ended; the load tool counts what its clients miss.
                let _ = relay(client, origin).await;
            });
        }
    })
}

/// Both directions in one task, each at its own pace, until both have ended.
async fn relay(client: TcpStream, origin: SocketAddr) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let server = TcpStream::connect(origin).await?;
    server.set_nodelay(true)?;
    let (mut up, mut down) = (Direction::default(), Direction::default());
    poll_fn(|context| {
        let there = up.copy(context, &client, &server)?;
        let back = down.copy(context, &server, &client)?;
        if there.is_ready() && back.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

/// One way through a pair of sockets.
#[derive(Default)]
struct Direction {
    /// What was read and not yet taken by the other side.
    waiting: Vec<u8>,
    ended: bool,
}

thread_local! {
    /// All pairs read into the same bytes, one at a time.
    static BYTES: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; BUFFER]);
}

impl Direction {
    /// Moves bytes until a side makes us wait; ready when `from` has told its end.
    fn copy(
        &mut self,
        context: &mut Context<'_>,
        from: &TcpStream,
        to: &TcpStream,
    ) -> Poll<std::io::Result<()>> {
        BYTES.with_borrow_mut(|bytes| {
            loop {
                if self.ended {
                    return Poll::Ready(Ok(()));
                }
                while !self.waiting.is_empty() {
                    std::task::ready!(to.poll_write_ready(context))?;
                    match to.try_write(&self.waiting) {
                        Ok(written) => drop(self.waiting.drain(..written)),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                std::task::ready!(from.poll_read_ready(context))?;
                let read = match from.try_read(bytes) {
                    Ok(read) => read,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(error) => return Poll::Ready(Err(error)),
                };
                if read == 0 {
                    self.ended = true;
                    // `shutdown` of one direction only: the other may still have bytes to bring.
                    let _ = shut_writing(to);
                    continue;
                }
                match to.try_write(&bytes[..read]) {
                    Ok(written) => self.waiting.extend_from_slice(&bytes[written..read]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        self.waiting.extend_from_slice(&bytes[..read]);
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        })
    }
}

fn shut_writing(stream: &TcpStream) -> rustix::io::Result<()> {
    rustix::net::shutdown(stream, rustix::net::Shutdown::Write)
}
