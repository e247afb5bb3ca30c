//! What the tests need beyond Rust and a C compiler: Debian packages and a Python environment.
//!
//! Only what is missing is installed, and a second run costs nothing. Where nothing may be installed,
//! the failure names the packages and the command that installs them. The host's services are left
//! alone: a package that would start a server on installation is kept from it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Failure;
use crate::command::{installed, output, run, say};
use crate::workspace::Workspace;

/// A program the tests call and the Debian package it is in.
const PROGRAMS: [(&str, &str); 7] = [
    ("nginx", "nginx-light"),
    ("curl", "curl"),
    ("openssl", "openssl"),
    // Puts the authority of the tests where the browser looks for it.
    ("certutil", "libnss3-tools"),
    ("testssl", "testssl.sh"),
    // A token with private keys, and a way to have it in a process of its own.
    ("softhsm2-util", "softhsm2"),
    ("p11-kit", "p11-kit"),
];

/// A browser, where it is a package: Ubuntu has it only as a snap, and the tests of it are skipped there.
const BROWSER: (&str, &str) = ("chromium", "chromium");

/// What Debian calls a Python with `venv` and `pip`.
const PYTHON_PACKAGES: [&str; 2] = ["python3", "python3-venv"];

/// The oldest Python that the pinned packages of `tests/requirements.txt` run on.
const OLDEST_PYTHON: (u8, u8) = (3, 11);

/// Newest last: the plain name is what the user chose, the numbered ones are second choices.
const PYTHONS: [&str; 5] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11"];

/// Installs what is missing, or says what is missing and how to get it.
pub(crate) fn everything(workspace: &Workspace) -> Result<(), Failure> {
    let packages = missing_packages();
    if !packages.is_empty() {
        debian(&packages)?;
        let still = missing_packages();
        if !still.is_empty() {
            return Err(Failure::new(format!(
                "{} was installed, but what the tests call is still not found",
                still.join(" ")
            )));
        }
    }
    python(workspace)
}

/// The Debian packages that would bring what is not there.
fn missing_packages() -> Vec<&'static str> {
    let browser = is_debian().then_some(&BROWSER);
    let programs = PROGRAMS.iter().chain(browser).filter(|(program, _)| !installed(program));
    let mut packages: Vec<_> = programs.map(|(_, package)| *package).collect();
    if fitting_python().is_none() {
        packages.extend(PYTHON_PACKAGES);
    }
    packages
}

/// Whether this is Debian itself, and not what was made of it (os-release(5)).
fn is_debian() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|line| line == "ID=debian"))
}

/// The first Python that is new enough and can make environments.
pub(crate) fn fitting_python() -> Option<&'static str> {
    let (major, minor) = OLDEST_PYTHON;
    let question = format!("import sys, venv, ensurepip; sys.exit(sys.version_info < ({major}, {minor}))");
    PYTHONS.into_iter().find(|python| {
        output(Command::new(python).args(["-c", &question])).is_ok_and(|out| out.status.success())
    })
}

/// Installs Debian packages as root, or fails with the command that does it.
pub(crate) fn debian(packages: &[&str]) -> Result<(), Failure> {
    let names = packages.join(" ");
    let advice = format!(
        "missing: {names}\nInstall them and run this command again, on Debian and Ubuntu:\n  \
         sudo apt-get update && sudo apt-get install {names}"
    );
    if !installed("apt-get") {
        return Err(Failure::new(advice));
    }
    let Some(root) = Root::find() else {
        return Err(Failure::new(format!(
            "{advice}\n(this user is not root and `sudo -n` asks for a password)"
        )));
    };
    say(&format!("installing Debian packages: {names}"));
    let install = root.shell(INSTALL).arg("install-packages").args(packages).status();
    match install {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Failure::new(advice)),
    }
}

/// Installs `"$@"` without starting any service that comes with it: `policy-rc.d` is what Debian's
/// maintainer scripts ask first, and one that stands there already is somebody's decision.
const INSTALL: &str = r#"
policy=/usr/sbin/policy-rc.d
if ! [ -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q && apt-get install -q -y --no-install-recommends "$@"
"#;

/// How a command becomes root's.
enum Root {
    Already,
    Sudo,
}

impl Root {
    fn find() -> Option<Self> {
        let uid = output(Command::new("id").arg("-u")).ok()?;
        if uid.stdout.trim_ascii() == b"0" {
            return Some(Root::Already);
        }
        let sudo = output(Command::new("sudo").args(["-n", "true"])).ok()?;
        sudo.status.success().then_some(Root::Sudo)
    }

    /// A shell script run as root; the first argument added to it is its name, the rest are `"$@"`.
    fn shell(&self, script: &str) -> Command {
        let mut command = match self {
            Root::Already => Command::new("sh"),
            Root::Sudo => {
                let mut sudo = Command::new("sudo");
                sudo.args(["-n", "sh"]);
                sudo
            }
        };
        command.args(["-c", script]);
        command
    }
}

/// Makes `venv/` in the build directory hold exactly `tests/requirements.txt`.
fn python(workspace: &Workspace) -> Result<(), Failure> {
    let venv = workspace.target.join("venv");
    let list = workspace.root.join("tests/requirements.txt");
    let wanted = read(&list)?;
    // Written last, so that an interrupted installation is not taken for a whole one.
    let stamp = venv.join("installed");
    if fs::read_to_string(&stamp).is_ok_and(|has| has == wanted) && workspace.python().is_file() {
        return Ok(());
    }
    let python = fitting_python().ok_or_else(|| {
        let (major, minor) = OLDEST_PYTHON;
        Failure::new(format!(
            "no Python {major}.{minor} or newer with `venv` is in PATH (tried {})",
            PYTHONS.join(", ")
        ))
    })?;
    say(&format!("installing Python packages into {} (a minute or two)", venv.display()));
    run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&venv))?;
    // The list is a closure: nothing but what stands in it is wanted.
    run(Command::new(workspace.python())
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"])
        .arg(&list))?;
    run(Command::new(workspace.python()).args(["-m", "pip", "--disable-pip-version-check", "check"]))?;
    write(&stamp, &wanted)
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| failed(path, &error))
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
