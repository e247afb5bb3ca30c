//! Making a connection to a back-end.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::health::Refusal;
use super::{Address, Live};
use crate::stream::Stream;
use crate::tls::{self, Scratch};

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// Refused, unreachable, no such socket …
    Io(io::Error),
    /// There is one, but TLS was not agreed on; why.
    Tls(String),
    /// Nothing happened in time.
    Timeout,
}

/// What an error of opening a connection says about the next try.
pub(crate) fn refusal(error: &io::Error) -> Refusal {
    use io::ErrorKind;
    match error.kind() {
        // A Unix socket whose queue is full is "would block".
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::WouldBlock => Refusal::Refused,
        _ => Refusal::Unreachable,
    }
}

/// Connects to the first address that takes the connection; `limit` holds for all of them together, and for TLS.
pub(crate) async fn connect(live: &Live, limit: Duration, scratch: &Scratch) -> Result<Stream, ConnectError> {
    let Some(connector) = &live.tls else { return reach(&live.address, limit).await };
    let secure = async {
        let stream = attempt(&live.address).await.map_err(ConnectError::Io)?;
        connector.connect(stream, scratch).await.map_err(|error| {
            ConnectError::Tls(match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    "it closed the connection in the middle of the handshake".to_owned()
                }
                _ => tls::reason(&error),
            })
        })
    };
    // The state of a handshake takes some kilobytes.
    timeout(limit, Box::pin(secure)).await.unwrap_or(Err(ConnectError::Timeout))
}

/// Connects without TLS.
async fn reach(address: &Address, limit: Duration) -> Result<Stream, ConnectError> {
    match timeout(limit, attempt(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(ConnectError::Io(error)),
        Err(_) => Err(ConnectError::Timeout),
    }
}

async fn attempt(address: &Address) -> io::Result<Stream> {
    match address {
        Address::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
        Address::Inet(addresses) => {
            let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for &address in addresses {
                match TcpStream::connect(address).await {
                    Ok(stream) => {
                        // What we write is whole messages; waiting for more to send would only delay them.
                        stream.set_nodelay(true)?;
                        return Ok(Stream::Tcp(stream));
                    }
                    Err(error) => failure = error,
                }
            }
            Err(failure)
        }
    }
}
