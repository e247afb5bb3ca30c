//! The server behind every proxy, ended with us.

use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::proxy::{Process, pinned};
use crate::Failure;

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts it on a processor and waits until it listens on all `addresses`: a proxy that finds no origin at its first
/// request takes it for dead.
pub(super) fn start(release: &Path, core: u32, addresses: &[String]) -> Result<Process, Failure> {
    let mut command = pinned(&core.to_string());
    command.arg(release.join("bench-origin")).args(addresses);
    let process = Process::spawn(&mut command)?;
    let end = Instant::now() + PATIENCE;
    for address in addresses {
        while TcpStream::connect(address).is_err() {
            if Instant::now() >= end {
                return Err(Failure::new(format!("the origin does not listen on {address}")));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(process)
}
