//! The built program as a process: what it says when it cannot start, and that it lives as it should when it can.
// A helper of a test may fail as the test does; clippy's exception covers only functions marked as tests.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longer than anything here takes on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

fn pound() -> Command {
    Command::new(env!("CARGO_BIN_EXE_pound"))
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A configuration that answers 200 by itself.
fn configuration(folder: &Path, port: u16, top: &str) -> std::path::PathBuf {
    let file = folder.join("pound.cfg");
    let text = format!(
        "{top}\nLogFacility -\nLogLevel 0\nListenHTTP\nAddress 127.0.0.1\nPort {port}\nService\nSuccess\nEnd\nEnd\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

fn answers(port: u16) -> Option<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(())
}

/// Runs it to its end and expects a refusal: status 1, and one sentence that holds these words.
fn refused(command: &mut Command, words: &[&str]) {
    let Output { status, stderr, .. } = command.output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "one sentence:\n{said}");
    for word in words {
        assert!(said.contains(word), "{word} is not in: {said}");
    }
}

#[test]
fn what_stands_in_the_way_is_said_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let check = |top: &str, options: &[&str], words: &[&str]| {
        let file = configuration(folder.path(), port, top);
        refused(pound().arg("-e").arg("-f").arg(&file).args(options), words);
    };
    check("User \"no-such-user\"", &[], &["pound.cfg:1", "no user \"no-such-user\""]);
    check("Group \"no-such-group\"", &[], &["pound.cfg:1", "no group \"no-such-group\""]);
    check("PIDFile \"/nonexistent/pid\"", &[], &["pound.cfg:1", "/nonexistent/pid", "PIDFile or -p"]);
    check("", &["-p", "/nonexistent/pid"], &["/nonexistent/pid", "PIDFile or -p"]);
    check(
        "Service\nBackend\nAddress localhost\nPort 9\nEnd\nEnd",
        &["-W", "no-dns"],
        &["localhost", "no-dns"],
    );

    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let file = configuration(folder.path(), port, "");
    refused(pound().arg("-e").arg("-f").arg(&file), &["pound.cfg", &format!("127.0.0.1:{port}"), "in use"]);
    let id = folder.path().join("pid");
    refused(pound().arg("-f").arg(&file).arg("-p").arg(&id), &["in use"]);
    assert!(!id.exists(), "a daemon that did not start leaves no file");
}

#[test]
fn a_check_finds_what_needs_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let check = |top: &str, options: &[&str], words: &[&str]| {
        let file = configuration(folder.path(), port, top);
        refused(pound().arg("-c").arg("-f").arg(&file).args(options), words);
    };
    check("User \"no-such-user\"", &[], &["pound.cfg:1", "no user \"no-such-user\""]);
    check("Group \"no-such-group\"", &[], &["pound.cfg:1", "no group \"no-such-group\""]);
    let named = "Service\nBackend\nAddress localhost\nPort 9\nEnd\nEnd";
    check(named, &["-W", "no-dns"], &["localhost", "no-dns"]);
    // Whether a port is free only a start can tell: the server that runs has it.
    let file = configuration(folder.path(), port, named);
    assert!(pound().arg("-c").arg("-f").arg(&file).output().unwrap().status.success());
}

#[test]
fn help_on_a_word_that_is_none_says_what_was_meant() {
    let output = pound().args(["-h", "Pth"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with("pound: there is no directive \"Pth\"; did you mean Path?"), "{said}");
}

#[test]
fn the_version_tells_the_limits_that_hold() {
    let output = pound().arg("-V").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let line = format!("{} bytes unless LineBufferSize says otherwise", plan::limits::LINE_BYTES);
    assert!(said.contains(&line), "{said}");
}

#[test]
fn the_command_line_is_refused_in_one_sentence() {
    refused(pound().arg("--nonsense"), &["--nonsense", "pound -h"]);
    refused(pound().arg("pound.cfg"), &["-f"]);
    refused(pound().args(["-W", "speed"]), &["speed", "sighup=stop|ignore"]);
    if !Path::new("/etc/pound/pound.cfg").exists() && !Path::new("/usr/local/etc/pound.cfg").exists() {
        refused(pound().arg("-e"), &["/etc/pound/pound.cfg", "/usr/local/etc/pound.cfg", "-f"]);
    }
}

/// A daemon that is stopped when the test is over, however it ends.
struct Daemon(Pid);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGTERM);
    }
}

fn child_of(parent: Pid) -> Option<Pid> {
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok().map(Pid::from_raw)
}

#[test]
fn the_supervisor_starts_the_server_again_and_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (port, id) = (free_port(), folder.path().join("pid"));
    let file = configuration(folder.path(), port, "");
    // LogFacility - keeps the streams of a daemon open, so they must not be the pipes that `output` waits for.
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let null = std::process::Stdio::null;
    let status = pound().arg("-f").arg(&file).arg("-p").arg(&id).stderr(log).stdout(null()).status().unwrap();
    assert!(status.success());
    let daemon = Daemon(Pid::from_raw(std::fs::read_to_string(&id).unwrap().trim().parse().unwrap()));
    assert_eq!(answers(port), Some(()), "it serves when the command returns");

    let first = child_of(daemon.0).unwrap();
    kill(first, Signal::SIGKILL).unwrap();
    // The listening socket stays, so a client that comes now is served later and not refused.
    assert_eq!(answers(port), Some(()), "a client waits for the next server");
    assert_ne!(child_of(daemon.0), Some(first));
    let said = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(said.contains("was ended by SIGKILL"), "{said}");

    kill(daemon.0, Signal::SIGTERM).unwrap();
    until("the file with the id is removed", || (!id.exists()).then_some(()));
    until("nobody listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).err());
}

#[test]
fn a_daemon_still_finds_files_with_relative_names() {
    let folder = tempfile::tempdir().unwrap();
    let (port, id) = (free_port(), folder.path().join("pid"));
    std::fs::create_dir(folder.path().join("files")).unwrap();
    std::fs::write(folder.path().join("files/a.txt"), "here").unwrap();
    let file = configuration(folder.path(), port, "");
    let text = std::fs::read_to_string(&file).unwrap().replace("Success", "SendFile \"files\"");
    std::fs::write(&file, text.replace("Service\n", "Service\nSetPath \"/a.txt\"\n")).unwrap();
    let null = std::process::Stdio::null;
    let mut command = pound();
    command.current_dir(folder.path()).args(["-f", "pound.cfg", "-p", "pid"]).stderr(null()).stdout(null());
    assert!(command.status().unwrap().success());
    let _daemon = Daemon(Pid::from_raw(std::fs::read_to_string(&id).unwrap().trim().parse().unwrap()));
    assert_eq!(answers(port), Some(()));
}

#[test]
fn a_server_whose_supervisor_was_killed_stops() {
    let folder = tempfile::tempdir().unwrap();
    let (port, id) = (free_port(), folder.path().join("pid"));
    let file = configuration(folder.path(), port, "");
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let null = std::process::Stdio::null;
    let status = pound().arg("-f").arg(&file).arg("-p").arg(&id).stderr(log).stdout(null()).status().unwrap();
    assert!(status.success());
    let daemon = Daemon(Pid::from_raw(std::fs::read_to_string(&id).unwrap().trim().parse().unwrap()));
    kill(daemon.0, Signal::SIGKILL).unwrap();
    until("nobody listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).err());
    let said = until("it says why", || {
        let said = std::fs::read_to_string(folder.path().join("log")).unwrap();
        said.contains(": stopped\n").then_some(said)
    });
    assert!(said.contains("the supervisor is gone: stopping"), "{said}");
    assert!(!said.contains("SIGTERM"), "nobody sent one: {said}");
}

#[test]
fn a_second_daemon_does_not_take_the_file_of_a_living_one() {
    let folder = tempfile::tempdir().unwrap();
    let (port, id) = (free_port(), folder.path().join("pound.pid"));
    let start = |port| {
        // Relative, and so beside the configuration, wherever it is started.
        let file = configuration(folder.path(), port, "PIDFile \"pound.pid\"");
        let mut command = pound();
        command.arg("-f").arg(&file).current_dir("/");
        command
    };
    let null = std::process::Stdio::null;
    assert!(start(port).stderr(null()).stdout(null()).status().unwrap().success());
    let number = std::fs::read_to_string(&id).unwrap();
    let daemon = Daemon(Pid::from_raw(number.trim().parse().unwrap()));
    refused(&mut start(free_port()), &["pound.cfg:1", "pound.pid", &format!("kill {}", number.trim())]);
    assert_eq!(std::fs::read_to_string(&id).unwrap(), number);
    assert_eq!(answers(port), Some(()));
    // A file that a killed daemon left behind is nobody's.
    kill(daemon.0, Signal::SIGKILL).unwrap();
    until("it is gone", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).err());
    std::mem::forget(daemon);
    let port = free_port();
    assert!(start(port).stderr(null()).stdout(null()).status().unwrap().success());
    let again = Daemon(Pid::from_raw(std::fs::read_to_string(&id).unwrap().trim().parse().unwrap()));
    assert_eq!(answers(port), Some(()));
    drop(again);
    until("the file is removed", || (!id.exists()).then_some(()));
}

#[test]
fn unix_sockets_of_listeners_go_with_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, id) = (folder.path().join("http"), folder.path().join("pid"));
    let file = folder.path().join("pound.cfg");
    let text = format!("ListenHTTP\nAddress \"{}\"\nService\nSuccess\nEnd\nEnd\n", socket.display());
    let null = std::process::Stdio::null;
    for top in ["", "Supervisor no\n"] {
        std::fs::write(&file, format!("{top}LogFacility -\n{text}")).unwrap();
        let mut command = pound();
        command.arg("-f").arg(&file).arg("-p").arg(&id).stderr(null()).stdout(null());
        assert!(command.status().unwrap().success());
        let daemon = Daemon(Pid::from_raw(std::fs::read_to_string(&id).unwrap().trim().parse().unwrap()));
        std::os::unix::net::UnixStream::connect(&socket).unwrap();
        drop(daemon);
        until("it stops", || (!id.exists()).then_some(()));
        until("the socket is removed", || (!socket.exists()).then_some(()));
    }
}

/// A server with a request in flight that does not end by itself: the back-end does not answer.
struct Busy {
    server: std::process::Child,
    /// Kept open, and never written to again.
    _client: TcpStream,
    _origin: TcpStream,
    folder: tempfile::TempDir,
}

fn busy() -> Busy {
    let folder = tempfile::tempdir().unwrap();
    let (port, origin) = (free_port(), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let backend = format!("Backend\nAddress 127.0.0.1\nPort {}\nEnd", origin.local_addr().unwrap().port());
    let file = configuration(folder.path(), port, "Grace 60");
    let text = std::fs::read_to_string(&file)
        .unwrap()
        .replace("Success", &backend)
        .replace("LogLevel 0", "LogLevel 1");
    std::fs::write(&file, text).unwrap();
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let server = pound().arg("-e").arg("-f").arg(&file).stderr(log).spawn().unwrap();
    let mut client = until("it listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok());
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    // The request is in flight once the origin has it; it is never answered.
    let (mut request, _) = origin.accept().unwrap();
    let mut byte = [0];
    request.read_exact(&mut byte).unwrap();
    Busy { server, _client: client, _origin: request, folder }
}

impl Busy {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.server.id()).unwrap()), signal).unwrap();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_stop_asked_for_again_later_is_at_once() {
    let mut busy = busy();
    busy.signal(Signal::SIGTERM);
    // Twice in one instant is once, so it goes on until somebody asks anew.
    busy.signal(Signal::SIGTERM);
    let begun = Instant::now();
    let status = until("it stops", || {
        busy.signal(Signal::SIGTERM);
        busy.server.try_wait().unwrap()
    });
    assert!(status.success());
    assert!(begun.elapsed() >= Duration::from_millis(400), "the echo of a signal counted as a second one");
    let said = std::fs::read_to_string(busy.folder.path().join("log")).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    let place =
        |text: &str| lines.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{said}"));
    let (second, cut) = (place("second signal (SIGTERM): stopping at once"), place("[E-CUT-OFF]"));
    let stopped = place("stopped; requests cut off: 1");
    assert!(second < cut && cut < stopped, "{said}");
    // Requests go to another stream than events, so their order is not certain.
    place(" GET / HTTP/1.1 - -");
    assert_eq!(said.matches("second signal").count(), 1, "{said}");
}

#[test]
fn a_quit_is_at_once() {
    let mut busy = busy();
    busy.signal(Signal::SIGQUIT);
    assert!(until("it stops", || busy.server.try_wait().unwrap()).success());
}

#[test]
fn the_service_manager_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let file = configuration(folder.path(), port, "Daemon no");
    let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let null = std::process::Stdio::null;
    let mut server = pound()
        .arg("-F")
        .arg("-f")
        .arg(&file)
        .env("NOTIFY_SOCKET", folder.path().join("notify"))
        .stderr(null())
        .stdout(null())
        .spawn()
        .unwrap();
    let mut buffer = [0; 100];
    let size = manager.recv(&mut buffer).unwrap();
    assert_eq!(String::from_utf8_lossy(&buffer[..size]), format!("READY=1\nMAINPID={}\n", server.id()));
    assert_eq!(answers(port), Some(()));
    kill(Pid::from_raw(i32::try_from(server.id()).unwrap()), Signal::SIGTERM).unwrap();
    let size = manager.recv(&mut buffer).unwrap();
    assert_eq!(buffer[..size], *b"STOPPING=1\n");
    assert!(server.wait().unwrap().success());
}

#[test]
fn the_demo_runs_and_no_request_fails() {
    let output =
        pound().args(["demo", "--seconds", "5", "--port"]).arg(free_port().to_string()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    for words in ["ListenHTTP", "amber: left out after", "failed      0", "No request failed."] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
}

#[test]
fn the_demo_says_which_port_it_took() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let SocketAddr::V4(address) = taken.local_addr().unwrap() else { unreachable!() };
    let output =
        pound().args(["demo", "--seconds", "1", "--port"]).arg(address.port().to_string()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains(&format!("Port {} is taken", address.port())), "{said}");
}
