//! The load: wrk where it can send what is wanted, our own generator where it cannot.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::proxy::{Proxy, pinned};
use crate::Failure;

/// What one run brought.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) requests: f64,
    pub(super) errors: f64,
    pub(super) seconds: f64,
    /// Bytes to or from the clients, whichever is more.
    pub(super) bytes: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
    /// Where there was a flood of handshakes: the p99 before it, and its handshakes in the window.
    pub(super) calm_p99_us: f64,
    pub(super) flood_handshakes: f64,
    /// The proxy's processor time in the window.
    pub(super) processor_ns: u64,
    /// The proxy's memory at the end of the window, and where connections are held, before they came.
    pub(super) resident_kib: u64,
    pub(super) resident_before_kib: u64,
}

/// The programs that send requests, and where they run.
pub(super) struct Loader {
    pub(super) generator: PathBuf,
    /// wrk's script that tells the figures.
    pub(super) script: PathBuf,
    pub(super) core: u32,
    /// Where the certificates of peers are, and the authority that clients believe.
    pub(super) certificates: PathBuf,
}

impl Loader {
    /// wrk against the proxy: once to warm it up, once to measure it.
    pub(super) fn wrk(
        &self,
        proxy: &mut Proxy,
        url: &str,
        connections: u32,
        close: bool,
        seconds: u32,
    ) -> Result<Outcome, Failure> {
        let connections = connections.to_string();
        let command = |seconds: u32| {
            let mut command = pinned(&self.core.to_string());
            command.args([
                "wrk",
                "-t1",
                "-c",
                &connections,
                "-d",
                &format!("{seconds}s"),
                "--timeout",
                "10s",
            ]);
            command.arg("-s").arg(&self.script);
            if close {
                command.args(["-H", "Connection: close"]);
            }
            command.arg(url);
            command
        };
        told(&mut command(1))?;
        proxy.look_for_family();
        let before = proxy.processor_ns();
        let text = told(&mut command(seconds))?;
        let after = proxy.processor_ns();
        let mut outcome = read(&text)?;
        outcome.processor_ns = after - before;
        outcome.resident_kib = proxy.resident_kib();
        Ok(outcome)
    }

    /// Our own generator against the proxy; the window is the one it announces.
    pub(super) fn own(&self, proxy: &mut Proxy, port: u16, arguments: &[String]) -> Result<Outcome, Failure> {
        let mut running = self.begin(port, arguments)?;
        running.wait_for("begin")?;
        proxy.look_for_family();
        let before = proxy.processor_ns();
        running.wait_for("end")?;
        let after = proxy.processor_ns();
        let resident_kib = proxy.resident_kib();
        let mut outcome = running.finish()?;
        outcome.processor_ns = after - before;
        outcome.resident_kib = resident_kib;
        Ok(outcome)
    }

    /// Connections that had one answer each and then are held; the memory before and with them.
    pub(super) fn hold(
        &self,
        proxy: &mut Proxy,
        port: u16,
        connections: u32,
        tls: &[String],
    ) -> Result<Outcome, Failure> {
        proxy.look_for_family();
        let before = proxy.resident_kib();
        let words = ["--hold".into(), "--connections".into(), connections.to_string()];
        let mut running = self.begin(port, &[&words, tls].concat())?;
        running.wait_for("begin")?;
        // What is given back when a connection idles is given back soon, or it is of no use.
        std::thread::sleep(std::time::Duration::from_secs(2));
        proxy.look_for_family();
        let resident_kib = proxy.resident_kib();
        // The end of its standard input lets it go.
        drop(running.child.stdin.take());
        running.wait_for("end")?;
        let mut outcome = running.finish()?;
        outcome.resident_kib = resident_kib;
        outcome.resident_before_kib = before;
        Ok(outcome)
    }

    /// The words that make our generator speak TLS.
    pub(super) fn tls(&self) -> [String; 2] {
        ["--tls".into(), self.certificates.join("authority.crt").display().to_string()]
    }

    /// Whether a request over TLS is answered.
    pub(super) fn answers_in_tls(&self, port: u16) -> bool {
        let words = [&self.tls()[..], &["--connections", "1", "--in-turn"].map(str::to_owned)].concat();
        let mut command = pinned(&self.core.to_string());
        command.arg(&self.generator).arg(format!("127.0.0.1:{port}")).args(words);
        // One who is not there yet is no news, and asking by a whole program costs more than a look.
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
            && crate::command::output(&mut command).is_ok_and(|out| {
                out.status.success() && out.stdout.windows(9).any(|text| text == b"\nerrors 0")
            })
    }

    fn begin(&self, port: u16, arguments: &[String]) -> Result<Running, Failure> {
        let mut command = pinned(&self.core.to_string());
        command.arg(&self.generator).arg(format!("127.0.0.1:{port}")).args(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Failure::new(format!("{}: {error}", self.generator.display())))?;
        let out = child.stdout.take().ok_or_else(|| Failure::new("the load generator has no output"))?;
        Ok(Running { child, out: BufReader::new(out) })
    }
}

/// Our generator at work.
struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn wait_for(&mut self, word: &str) -> Result<(), Failure> {
        let mut line = String::new();
        match self.out.read_line(&mut line) {
            Ok(_) if line.trim() == word => Ok(()),
            _ => Err(Failure::new(format!("the load generator ended before its `{word}`"))),
        }
    }

    fn finish(mut self) -> Result<Outcome, Failure> {
        let mut text = String::new();
        self.out
            .read_to_string(&mut text)
            .map_err(|error| Failure::new(format!("the load generator: {error}")))?;
        let _ = self.child.wait();
        read(&text)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn told(command: &mut Command) -> Result<String, Failure> {
    let out = crate::command::output(command)?;
    if !out.status.success() {
        let text = String::from_utf8_lossy(&out.stderr);
        return Err(Failure::new(format!("{}: {text}", crate::command::shown(command))));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Reads `name value` lines; all that a run must tell has to be there.
fn read(text: &str) -> Result<Outcome, Failure> {
    let number = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .find(|(word, _)| *word == name)
            .and_then(|(_, value)| value.trim().parse::<f64>().ok())
            .ok_or_else(|| Failure::new(format!("the load generator does not tell `{name}`")))
    };
    let flooded = text.lines().any(|line| line.starts_with("calm_p99_us "));
    let in_flood = |name: &str| if flooded { number(name) } else { Ok(0.0) };
    Ok(Outcome {
        requests: number("requests")?,
        errors: number("errors")?,
        seconds: number("seconds")?,
        bytes: number("received")?.max(number("sent")?),
        p50_us: number("p50_us")?,
        p99_us: number("p99_us")?,
        p999_us: number("p999_us")?,
        calm_p99_us: in_flood("calm_p99_us")?,
        flood_handshakes: in_flood("flood_handshakes")?,
        ..Outcome::default()
    })
}
