//! Making a connection to a back-end.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::Address;
use crate::stream::Stream;

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// Refused, unreachable, no such socket …
    Io(io::Error),
    /// Nothing happened in time.
    Timeout,
}

/// Connects to the first address that takes the connection; `limit` holds for all of them together.
pub(crate) async fn connect(address: &Address, limit: Duration) -> Result<Stream, ConnectError> {
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
