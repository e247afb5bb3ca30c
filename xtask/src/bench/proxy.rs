//! A proxy that runs: started on its own core with its configuration, looked at, ended.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::peer::Peer;
use super::system;
use super::template::{self, Values};
use crate::Failure;

/// How long a proxy may take from its start to its first answer. Ten thousand services take some.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// How long a proxy may take to end when asked to; then it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// A command on the processors of `cores`, with as many descriptors as the machine allows.
pub(super) fn pinned(cores: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", cores, "sh", "-c", r#"ulimit -n "$(ulimit -Hn)"; exec "$@""#, "sh"]);
    command
}

/// A child that is ended with us.
pub(super) struct Process(Child);

impl Process {
    pub(super) fn spawn(command: &mut Command) -> Result<Self, Failure> {
        command
            .stdin(Stdio::null())
            .spawn()
            .map(Process)
            .map_err(|error| Failure::new(format!("{}: {error}", crate::command::shown(command))))
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    fn ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        // Each fails only if the process has gone already.
        let _ = Command::new("kill").args(["-TERM", &pid]).stderr(Stdio::null()).status();
        let end = Instant::now() + STOP_PATIENCE;
        while Instant::now() < end && !self.ended() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A running proxy.
pub(super) struct Proxy {
    processes: Vec<Process>,
    family: Vec<u32>,
    /// From the start to the first answer.
    pub(super) start: Duration,
    folder: PathBuf,
}

impl Proxy {
    /// Writes the configuration, starts the proxy and waits until `answers` says that it does.
    pub(super) fn start(
        peer: &Peer,
        folder: &Path,
        core: u32,
        values: &Values,
        answers: &dyn Fn() -> bool,
    ) -> Result<Self, Failure> {
        let failed = |what: &str, error: &dyn std::fmt::Display| Failure::new(format!("{what}: {error}"));
        // What an earlier run left, logs of it above all, is no part of this one.
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).map_err(|error| failed(&folder.display().to_string(), &error))?;
        for entry in fs::read_dir(&peer.kind.folder).into_iter().flatten().flatten() {
            if entry.file_name() == "peer" {
                continue;
            }
            let file = entry.path();
            let text =
                fs::read_to_string(&file).map_err(|error| failed(&file.display().to_string(), &error))?;
            let text = template::render(&text, values)
                .map_err(|Failure(error)| Failure::new(format!("{}: {error}", file.display())))?;
            let file = folder.join(entry.file_name());
            fs::write(&file, text).map_err(|error| failed(&file.display().to_string(), &error))?;
        }
        let began = Instant::now();
        let mut proxy =
            Proxy { processes: Vec::new(), family: Vec::new(), start: Duration::ZERO, folder: folder.into() };
        for (flag, run) in &peer.kind.runs {
            if flag.as_ref().is_some_and(|flag| !values.flags.contains(flag)) {
                continue;
            }
            let out = |name: &str| {
                let file = folder.join(name);
                File::options()
                    .create(true)
                    .append(true)
                    .open(&file)
                    .map_err(|error| failed(&file.display().to_string(), &error))
            };
            let mut command = pinned(&core.to_string());
            command.args(values.fill(run).split(' ')).stdout(out("stdout.log")?).stderr(out("stderr.log")?);
            proxy.processes.push(Process::spawn(&mut command)?);
            if proxy.processes.len() == 1 {
                proxy.wait_for_answer(answers)?;
                proxy.start = began.elapsed();
            }
        }
        proxy.look_for_family();
        Ok(proxy)
    }

    fn wait_for_answer(&mut self, answers: &dyn Fn() -> bool) -> Result<(), Failure> {
        let end = Instant::now() + START_PATIENCE;
        while Instant::now() < end {
            if answers() {
                return Ok(());
            }
            if self.processes.iter_mut().any(Process::ended) {
                return Err(Failure::new(format!("ended at its start: {}", self.last_words())));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(Failure::new(format!("no answer within {} s: {}", START_PATIENCE.as_secs(), self.last_words())))
    }

    /// The end of what it wrote.
    fn last_words(&self) -> String {
        ["stderr.log", "stdout.log", "error.log"]
            .iter()
            .filter_map(|name| fs::read_to_string(self.folder.join(name)).ok())
            .find_map(|text| {
                let lines: Vec<&str> = text.lines().rev().filter(|line| !line.is_empty()).take(3).collect();
                (!lines.is_empty()).then(|| lines.into_iter().rev().collect::<Vec<_>>().join(" / "))
            })
            .unwrap_or_else(|| "it said nothing".into())
    }

    /// Looks again for the processes that it consists of.
    pub(super) fn look_for_family(&mut self) {
        let roots: Vec<u32> = self.processes.iter().map(Process::id).collect();
        self.family = system::family(&roots);
    }

    /// Processor time so far, in nanoseconds.
    pub(super) fn processor_ns(&self) -> u64 {
        system::processor_ns(&self.family)
    }

    /// Memory now, in KiB.
    pub(super) fn resident_kib(&self) -> u64 {
        system::resident_kib(&self.family)
    }
}

/// Whether a request of HTTP/1.1 is answered with 200.
pub(super) fn answers(port: u16, request: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut begin = [0; 12];
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && stream.write_all(request.as_bytes()).is_ok()
        && stream.read_exact(&mut begin).is_ok()
        && begin.ends_with(b" 200")
}
