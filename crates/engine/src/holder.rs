//! Which program holds an address that we cannot have, as far as `/proc` shows it to this user.
//!
//! Looked for once, when a start has failed already; it never fails, it only does not know.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// Processes that are looked at, and open files of each: enough for any server, and a second at most.
const PROCESSES_MAX: usize = 20_000;
const FILES_MAX: usize = 4096;

/// As in "nginx (pid 4711)". `address` is one of TCP; there may be words around it.
pub(crate) fn of(address: &str) -> Option<String> {
    let bare = address.rsplit_once('(').map_or(address, |(_, inner)| inner.trim_end_matches(')'));
    let port = bare.parse::<SocketAddr>().ok()?.port();
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listeners(&table, port))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let ours = std::process::id();
    let processes = fs::read_dir("/proc").ok()?.take(PROCESSES_MAX).flatten();
    for process in processes {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if id == ours || !holds(&process.path(), &inodes) {
            continue;
        }
        let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        // A program names itself: nothing that it chooses may look like a line of ours.
        let name: String = name.trim().chars().filter(char::is_ascii_graphic).take(32).collect();
        return Some(format!("{name} (pid {id})"));
    }
    None
}

/// The inodes of sockets that listen on a port, in a table of Linux (proc(5)).
fn listeners(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let end = format!(":{port:04X}");
    table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let local = words.nth(1)?;
            let state = words.nth(1)?;
            let inode = words.nth(5)?;
            (local.ends_with(&end) && state == LISTEN).then(|| format!("socket:[{inode}]"))
        })
        .collect()
}

fn holds(process: &Path, inodes: &[String]) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else { return false };
    let mut links = files.take(FILES_MAX).flatten().filter_map(|file| fs::read_link(file.path()).ok());
    links.any(|link| inodes.iter().any(|inode| link.as_os_str() == inode.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sockets_that_listen_on_a_port_are_found() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                     \x20  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0\n\
                     \x20  1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 100 0 0 10 0\n\
                     \x20  2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0\n";
        assert_eq!(listeners(table, 8080), ["socket:[4711]"]);
        assert_eq!(listeners(table, 80), ["socket:[4713]"]);
        assert!(listeners(table, 81).is_empty());
        assert!(listeners("nonsense", 80).is_empty());
    }
}
