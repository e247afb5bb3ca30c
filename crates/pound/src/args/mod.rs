//! The command line: what was asked for, or one sentence on what was wrong with it.
//!
//! Nothing is looked up or opened here; a [`Wish`] only says what the words meant.

mod features;
mod help;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt;

pub(crate) use features::{Deprecated, Features, IncludeDir, Sighup};
pub(crate) use help::{columns, help, version};

/// `demo --seconds`: the most, a day; whoever wants longer leaves the option out.
const DEMO_SECONDS_MAX: u64 = 24 * 3600;

/// What the caller wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Run with a configuration.
    Serve(Arguments),
    /// Only check a configuration (`-c`).
    Check(Arguments),
    /// Show `pound` with three origins of its own.
    Demo(Demo),
    /// The general help, or that of one directive (`-h Backend`).
    Help(Option<String>),
    /// Version, build and limits (`-V`).
    Version,
}

/// The options that go with a configuration file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// `-f`: the configuration file.
    pub(crate) file: Option<PathBuf>,
    /// `-p`: replaces the file's `PIDFile`; `-` means none.
    pub(crate) pid_file: Option<PathBuf>,
    /// `-e`: stay in the foreground and log to standard error.
    pub(crate) to_stderr: bool,
    /// `-F`: stay in the foreground.
    pub(crate) foreground: bool,
    /// `-v`: say what was read and what listens.
    pub(crate) verbose: bool,
    /// `-W`.
    pub(crate) features: Features,
}

/// The options of `pound demo`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Demo {
    /// Run unattended for this long; `None` until Ctrl-C.
    pub(crate) duration: Option<Duration>,
    /// The port tried first.
    pub(crate) port: u16,
}

impl Default for Demo {
    fn default() -> Self {
        Demo { duration: None, port: 8080 }
    }
}

/// Reads the words after the program's name.
///
/// # Errors
/// One sentence for the caller: what was not understood and what would be.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Wish, String> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut arguments = Arguments::default();
    let mut check = false;
    let mut first = true;
    while let Some(argument) = parser.next().map_err(|error| said(&error))? {
        match argument {
            Short('c') => check = true,
            Short('e') => arguments.to_stderr = true,
            Short('F') => arguments.foreground = true,
            Short('v') => arguments.verbose = true,
            Short('f') => arguments.file = Some(path(&mut parser, "-f")?),
            Short('p') => arguments.pid_file = Some(path(&mut parser, "-p")?),
            Short('W') => {
                let word =
                    parser.value().map_err(|error| said(&error))?.string().map_err(|error| said(&error))?;
                arguments.features.set(&word)?;
            }
            Short('V') | Long("version") => return Ok(Wish::Version),
            Short('h') | Long("help") => return topic(&mut parser),
            Value(word) if first && word == "demo" => return demo(&mut parser),
            Value(word) if let Some(instead) = instead(&word.to_string_lossy()) => return Err(instead),
            Value(word) => {
                return Err(format!(
                    "\"{}\" is not an option; a configuration file is given with -f, and the only command is demo",
                    word.to_string_lossy()
                ));
            }
            Short(_) | Long(_) => return Err(said(&argument.unexpected())),
        }
        first = false;
    }
    Ok(if check { Wish::Check(arguments) } else { Wish::Serve(arguments) })
}

/// What to do instead of the commands that other servers have.
fn instead(word: &str) -> Option<String> {
    let lower = word.to_ascii_lowercase();
    Some(match lower.trim_start_matches('-') {
        "start" | "run" | "serve" => {
            "pound has no command \"start\": it starts when it is called without one (pound -f FILE, -e to watch it); as a service, systemctl start pound".to_owned()
        }
        "stop" | "quit" | "shutdown" => {
            "pound has no command \"stop\": send TERM to the process in the PIDFile (kill $(cat FILE)), or as a service, systemctl stop pound".to_owned()
        }
        "reload" | "restart" => format!(
            "pound has no command \"{lower}\": check the file with pound -c, then stop pound and start it again, or as a service, systemctl restart pound; lists of -filewatch and certificates are followed without"
        ),
        "status" => {
            "pound has no command \"status\": as a service, systemctl status pound; ss -ltnp shows what listens".to_owned()
        }
        "test" | "check" | "configtest" | "validate" | "configcheck" => {
            format!("pound has no command \"{lower}\": a file is checked with pound -c -f FILE")
        }
        "help" => "pound -h shows the options".to_owned(),
        "version" => "pound -V shows the version".to_owned(),
        // What somebody forgot the -f before.
        file if file.ends_with(".cfg") || file.ends_with(".conf") || file.contains('/') => {
            format!("\"{word}\" is not an option; a configuration file is given with -f: pound -f {word}")
        }
        _ => return None,
    })
}

/// What follows `-h`: nothing, or the name of a directive.
fn topic(parser: &mut lexopt::Parser) -> Result<Wish, String> {
    // `-hBackend` and `--help=Backend` carry it along, `-h Backend` is the next word.
    if let Some(word) = parser.optional_value() {
        return Ok(Wish::Help(Some(word.string().map_err(|error| said(&error))?)));
    }
    match parser.next().map_err(|error| said(&error))? {
        Some(Value(word)) => Ok(Wish::Help(Some(word.string().map_err(|error| said(&error))?))),
        _ => Ok(Wish::Help(None)),
    }
}

/// What follows `demo`.
fn demo(parser: &mut lexopt::Parser) -> Result<Wish, String> {
    let mut demo = Demo::default();
    while let Some(argument) = parser.next().map_err(|error| said(&error))? {
        match argument {
            Long("seconds") => {
                let seconds = number(parser, "--seconds", 1, DEMO_SECONDS_MAX)?;
                demo.duration = Some(Duration::from_secs(seconds));
            }
            Long("port") => {
                let port = number(parser, "--port", 1, u64::from(u16::MAX))?;
                demo.port = u16::try_from(port).map_err(|_| format!("--port cannot be {port}"))?;
            }
            Short('h') | Long("help") => return Ok(Wish::Help(None)),
            _ => {
                let word = said(&argument.unexpected());
                return Err(format!("{word}; demo takes --seconds N and --port N"));
            }
        }
    }
    Ok(Wish::Demo(demo))
}

fn path(parser: &mut lexopt::Parser, option: &str) -> Result<PathBuf, String> {
    let word = parser.value().map_err(|error| said(&error))?;
    // An empty name would be taken for the current directory by some calls and for nothing by others.
    if word.is_empty() { Err(format!("{option} needs the name of a file")) } else { Ok(PathBuf::from(word)) }
}

fn number(parser: &mut lexopt::Parser, option: &str, least: u64, most: u64) -> Result<u64, String> {
    let word = parser.value().map_err(|error| said(&error))?;
    let value = word.to_str().and_then(|word| word.parse::<u64>().ok());
    value.filter(|value| (least..=most).contains(value)).ok_or_else(|| {
        format!("{option} takes a number from {least} to {most}, not \"{}\"", word.to_string_lossy())
    })
}

/// lexopt's sentence, with the way to the help behind it.
fn said(error: &lexopt::Error) -> String {
    format!("{error} (pound -h lists the options)")
}
