//! The hostile corpora, run through a built `pound` by their own runner.
//!
//! They are kept beside the checkout. Where they are not, this part says that it is skipped.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::command::{say, tee};
use crate::tally::Tally;
use crate::workspace::Workspace;

/// How long a fresh `pound` may take until it listens, and a stopping one until it has gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the requests and the answers: passed is a run without a `dirty` or `DESYNC` verdict, busy loop
/// or leaked descriptor.
pub(crate) fn run(workspace: &Workspace) -> Result<Tally, Failure> {
    let corpus = workspace.corpus();
    if !corpus.join("run.py").is_file() {
        say("skipped: ../shared/corpus is not here");
        return Ok(Tally { skipped: 2, ..Tally::default() });
    }
    let mut sum = Tally::default();
    for mode in ["requests", "responses"] {
        sum += Tally::one(one(workspace, &corpus, mode)?);
    }
    Ok(sum)
}

/// One corpus through a `pound` of its own.
fn one(workspace: &Workspace, corpus: &Path, mode: &str) -> Result<bool, Failure> {
    say(&format!("corpus of {mode}"));
    let (address, backend) = (free_address()?, free_address()?.port());
    let mut pound = Pound::start(&workspace.pound(), workspace, address, backend)?;
    let (status, _) = tee(Command::new(workspace.python())
        .arg(corpus.join("run.py"))
        .arg(address.to_string())
        .args(["--backend", &backend.to_string(), "--mode", mode, "--policy"])
        .args(["--pid", &pound.child.id().to_string()]))?;
    let stopped = pound.stop()?;
    if !stopped {
        say("pound did not stop with exit status 0 after the corpus");
    }
    Ok(status.success() && stopped)
}

/// A `pound` between one listener and one back-end. Dropped before `stop`, it is killed.
struct Pound {
    child: Child,
}

impl Pound {
    fn start(
        program: &Path,
        workspace: &Workspace,
        address: SocketAddr,
        backend: u16,
    ) -> Result<Self, Failure> {
        let file = workspace.target.join("corpus.cfg");
        std::fs::File::create(&file)
            .and_then(|mut out| out.write_all(configuration(address, backend).as_bytes()))
            .map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
        let child = Command::new(program)
            .arg("-e")
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            // One line per hostile request is of no use to anybody.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| Failure::new(format!("{}: {error}", program.display())))?;
        let mut pound = Pound { child };
        let listening = pound.within_patience(|_| Ok(TcpStream::connect(address).is_ok()))?;
        if listening { Ok(pound) } else { Err(Failure::new(format!("pound does not listen on {address}"))) }
    }

    /// Asks it to stop; whether it did, in time and with exit status 0.
    fn stop(&mut self) -> Result<bool, Failure> {
        let pid = self.child.id().to_string();
        crate::command::run(Command::new("kill").args(["-TERM", &pid]))?;
        let mut success = false;
        self.within_patience(|child| {
            let ended = child.try_wait().map_err(|error| Failure::new(format!("pound: {error}")))?;
            success = ended.is_some_and(|status| status.success());
            Ok(ended.is_some())
        })?;
        Ok(success)
    }

    fn within_patience(
        &mut self,
        mut condition: impl FnMut(&mut Child) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if condition(&mut self.child)? {
                return Ok(true);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(false)
    }
}

impl Drop for Pound {
    fn drop(&mut self) {
        // Both fail only if it has gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(address: SocketAddr, backend: u16) -> String {
    format!(
        "ListenHTTP\n  Address {}\n  Port {}\n  xHTTP 3\n  Service\n    Backend\n      Address 127.0.0.1\n      \
         Port {backend}\n    End\n  End\nEnd\n",
        address.ip(),
        address.port()
    )
}

/// An address on loopback that was free a moment ago.
fn free_address() -> Result<SocketAddr, Failure> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| Failure::new(format!("no free port on 127.0.0.1: {error}")))
}
