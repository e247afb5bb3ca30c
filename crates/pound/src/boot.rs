//! From the command line to a serving process: a checklist, in the order in which things must happen.

use std::io::{IsTerminal, Write};
use std::os::fd::{AsFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use engine::log::Severity;
use nix::sys::signal::Signal;
use plan::process::PidFile as PidWish;

use crate::args::{Arguments, Deprecated, IncludeDir, Sighup};
use crate::failure::Failure;
use crate::keeper;
use crate::logging::{Sink, Way};
use crate::process::background::{self, Null, Side};
use crate::process::notify::Manager;
use crate::process::pid_file::{self, PidFile};
use crate::process::privileges::Identity;
use crate::process::ready::Promise;
use crate::process::signals::{self, Signals, Woken};
use crate::process::socket_files::SocketFiles;
use crate::process::{descriptors, privileges};
use crate::run::{self, Settings};
use crate::supervise::{self, Role, Witness};

/// Where the configuration is looked for when `-f` names none.
const PLACES: [&str; 2] = ["/etc/pound/pound.cfg", "/usr/local/etc/pound.cfg"];

/// Serves until asked to stop.
///
/// # Errors
/// One sentence; or `None` if what is wrong has been printed already.
pub(crate) fn serve(arguments: &Arguments, inherited: &[RawFd]) -> Result<ExitCode, Option<Failure>> {
    // 0. Signals without a meaning end nothing, from here on and in all processes that come of this one.
    signals::settle();

    // 1. What is wanted, complete and checked. Nothing has been touched when this fails.
    let file = configuration(arguments)?;
    let plan = read(&file, arguments).ok_or(None)?;
    if plan.listeners.is_empty() {
        let sentence = "nothing to serve: there is no ListenHTTP and no ListenHTTPS in it";
        return Err(Failure::new(format!("{}: {sentence}", file.display())).into());
    }
    let process = plan.process.clone();
    let in_background = process.daemon && !arguments.foreground && !arguments.to_stderr;
    // In the foreground somebody watches already: a person, or a service manager.
    let in_two = process.supervisor && in_background;

    // 2. Who will serve, while /etc can be seen.
    let identity = allowed(&plan, arguments, &file)?;

    // 3. Signals, before there is a second thread or process that one could hit.
    let signals = Signals::take_over()?;

    // 4. Limits, which all children take over.
    descriptors::raise_limit();
    descriptors::no_core_files();

    // 5. Sockets, while we are root: ports below 1024 need it.
    let prepared = engine::prepare(plan).map_err(|error| unprepared(&file, error))?;
    let mut socket_files = SocketFiles::of(prepared.plan());
    if arguments.verbose {
        tell(&file, &prepared);
    }

    // 6. The ways out, while they can be seen and opened: the log and its time zone, the service manager, the file with
    //    our id.
    engine::log::prepare();
    let way = Way {
        to_stderr: arguments.to_stderr,
        in_background,
        owner: identity.user(),
        jail: process.root_jail.clone(),
    };
    let open_log = |logging: &plan::Logging| {
        Sink::open(logging, &way).map_err(|failure| match &logging.file {
            Some(_) => Failure::at(&file, "LogFile", failure),
            None => failure,
        })
    };
    let mut sink = open_log(&prepared.plan().logging)?;
    let manager = Manager::find();
    let mut pid_file = open_pid_file(arguments, &process, in_background, &file)?;
    if let Some(misgiving) = sink.misgiving(&way) {
        warn(&misgiving);
    }
    if !arguments.to_stderr
        && let Some(misgiving) = log_outside_of_jail(prepared.plan())
    {
        warn(&misgiving);
        // A start by an init script shows nobody the streams.
        sink.event(Severity::Warning, &misgiving);
    }

    // 7. The background. The caller waits in `detach` until its promise is kept.
    let mut null = None;
    let promise = match in_background {
        false => None,
        true => {
            if arguments.features.close_extra_fds {
                descriptors::close(inherited);
            }
            match background::detach()? {
                Side::Caller { started } => {
                    pid_file.into_iter().for_each(PidFile::leave);
                    socket_files.leave();
                    // It has said itself why not.
                    return Ok(started.map_or_else(ExitCode::from, |()| ExitCode::SUCCESS));
                }
                Side::Daemon(promise, opened) => {
                    // Those who redirected the streams of a daemon whose log goes there want to see it.
                    null = Some(opened).filter(|_| !sink.keeps_streams());
                    Some(promise)
                }
            }
        }
    };
    if let Some(pid_file) = &mut pid_file {
        pid_file.write().map_err(|sentence| Failure::at(&file, "PIDFile", sentence))?;
    }
    socket_files.take_over();
    let mut up = Up { promise, manager, null, sink: None };

    // 8. The supervisor. From here on this function runs in two processes, and ends in each.
    let mut settings = Settings {
        grace: process.grace,
        sighup: arguments.features.sighup,
        quiet: arguments.to_stderr && !arguments.verbose,
        supervisor: None,
    };
    if !in_two {
        let served = worker(&file, prepared, &identity, sink, &signals, &settings, &mut up);
        return Ok(served.inspect_err(|failure| up.give_up(failure.status()))?);
    }
    up.sink = Some(open_log(&prepared.plan().logging)?);
    settings.supervisor = Some(nix::unistd::getpid());
    let mut refresh = |(prepared, _): &(engine::Prepared, Sink), witness: &mut dyn Witness| {
        let mut say = |severity, sentence: &str| match severity {
            Severity::Notice => witness.note(sentence),
            _ => witness.report(sentence),
        };
        prepared.read_again(&mut say).map_err(|wrong| wrong.join("; "))
    };
    match supervise::supervise((prepared, sink), &signals, &mut up, &mut refresh)? {
        Role::Stopped => Ok(ExitCode::SUCCESS),
        Role::GivenUp(status) => {
            up.give_up(status);
            Ok(ExitCode::from(status))
        }
        Role::Worker((prepared, mut sink), promise) => {
            // It was opened for the first child, and may have been moved away since.
            sink.renew();
            // The word to the service manager, to the caller and to the file with the id is the supervisor's; what root
            // opened for that is not kept by a process that gives up its rights.
            let null = up.null.as_ref().and_then(Null::share);
            drop((up, pid_file));
            let mut up = Up { promise: Some(promise), manager: Manager::nobody(), null, sink: None };
            let served = worker(&file, prepared, &identity, sink, &signals, &settings, &mut up);
            Ok(served.inspect_err(|failure| up.give_up(failure.status()))?)
        }
    }
}

/// The serving process: drops its rights, starts the threads, and serves.
fn worker(
    file: &Path,
    mut prepared: engine::Prepared,
    identity: &Identity,
    mut sink: Sink,
    signals: &Signals,
    settings: &Settings,
    up: &mut Up,
) -> Result<ExitCode, Failure> {
    prepared.watch_memory();

    // 9. Who reads certificates again when we cannot any more.
    if identity.gives_up_sight()
        && !prepared.tls_files().is_empty()
        && let Err(error) = keeper::start(&mut prepared)
    {
        // Not refused: until a certificate runs out, to serve without it is better than not to serve.
        let sentence = format!(
            "cannot start the process that keeps the right to read certificates: {error}; changes of their files are not seen before pound is started again"
        );
        sink.event(Severity::Warning, &sentence);
    }

    // 10. Keys that no file holds: by this process and no other, and while it can reach all that it takes to get at them.
    //     Modules have threads of their own, so what is to hold for all threads has to hold before.
    privileges::no_new_privileges()?;
    let prepared = match unlock(prepared, signals, settings)? {
        Unlocked::Yes(prepared) => *prepared,
        Unlocked::No(error, prepared) => {
            let failure = unprepared(file, error);
            // Of a later child nobody sees the streams any more.
            if settings.supervisor.is_some() && !sink.keeps_streams() {
                sink.event(Severity::Error, &failure.to_string());
            }
            drop(prepared);
            return Err(failure);
        }
        Unlocked::Asked => return Ok(ExitCode::SUCCESS),
    };

    // 11. Rights, for good, before the first byte of a client is read and before there are threads that keep them.
    identity.take_on()?;
    if let Some(supervisor) = settings.supervisor {
        supervise::end_with(supervisor);
    }
    if privileges::still_root() && !settings.quiet {
        // Not refused: in a container root may be all there is.
        sink.event(Severity::Warning, "serving as root; User and Group would give these rights up");
    }

    // 12. Threads; from here on requests are served.
    run::run(prepared, sink, signals, settings, up)
}

/// How the opening of the token ended.
enum Unlocked {
    Yes(Box<engine::Prepared>),
    No(engine::PrepareError, Box<engine::Prepared>),
    /// A signal has asked for the end while the token did not answer.
    Asked,
}

/// Opens the token, in a thread: a token that hangs must not keep us from being stopped. Signals stay blocked meanwhile, for
/// threads of the module would take them.
fn unlock(prepared: engine::Prepared, signals: &Signals, settings: &Settings) -> Result<Unlocked, Failure> {
    if prepared.plan().token.is_none() {
        return Ok(Unlocked::Yes(Box::new(prepared)));
    }
    let failed =
        |error: std::io::Error| Failure::new(format!("cannot start a thread to open the token: {error}"));
    let (end, ended) = std::io::pipe().map_err(failed)?;
    let opening = std::thread::Builder::new().name("unlock".into()).spawn(move || {
        let outcome = match prepared.unlock() {
            Ok(()) => Unlocked::Yes(Box::new(prepared)),
            Err(error) => Unlocked::No(error, Box::new(prepared)),
        };
        drop(ended);
        outcome
    });
    let opening = opening.map_err(failed)?;
    loop {
        match signals.next_or(Some(end.as_fd()), None) {
            Woken::Signal(Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT) => return Ok(Unlocked::Asked),
            Woken::Signal(Signal::SIGHUP) if matches!(settings.sighup, Sighup::Stop) => {
                return Ok(Unlocked::Asked);
            }
            // The end of the keeper of certificates is told of later.
            Woken::Signal(_) | Woken::Elapsed => {}
            Woken::Other => break,
        }
    }
    opening.join().map_err(|_| Failure::new("the opening of the token of SSLEngine has failed"))
}

/// Why the engine cannot do what the file says.
fn unprepared(file: &Path, error: engine::PrepareError) -> Failure {
    match error {
        // It names the file and the line itself; the line may be of a file that was included.
        engine::PrepareError::Tls(error) => Failure::new(error.to_string()),
        engine::PrepareError::Pin(error) => Failure::new(error.to_string()).not_again(),
        error @ engine::PrepareError::Bind { .. } => Failure::new(error.to_string()),
        engine::PrepareError::Resolve { ref name, .. } => Failure::at_value(file, "Address", name, &error),
        error => Failure::new(format!("{}: {error}", file.display())),
    }
}

/// What happens when we are up, and when we go down.
pub(crate) struct Up {
    promise: Option<Promise>,
    manager: Manager,
    /// What takes the place of the streams, if they are let go of.
    null: Option<Null>,
    /// The supervisor's own way to the log.
    sink: Option<Sink>,
}

impl Up {
    /// Tells whoever waits for us that we never will be up, and end with this status.
    fn give_up(&mut self, status: u8) {
        if let Some(promise) = self.promise.take() {
            promise.give_up(status);
        }
    }
}

impl Witness for Up {
    fn ready(&mut self) {
        if let Some(promise) = self.promise.take() {
            if let Some(null) = self.null.take() {
                null.silence();
            }
            promise.keep();
        }
        self.manager.ready();
    }

    fn stopping(&mut self) {
        self.manager.stopping();
    }

    fn reopen(&mut self) {
        if let Some(sink) = &mut self.sink {
            sink.renew();
        }
    }

    fn note(&mut self, sentence: &str) {
        if let Some(sink) = &mut self.sink {
            sink.event(Severity::Notice, sentence);
        }
    }

    fn report(&mut self, sentence: &str) {
        if let Some(sink) = &mut self.sink {
            sink.event(Severity::Error, sentence);
        }
    }
}

/// `-c`: prints all there is to say about the file.
pub(crate) fn check(arguments: &Arguments) -> ExitCode {
    let file = match configuration(arguments) {
        Ok(file) => file,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "pound: {failure}");
            return ExitCode::FAILURE;
        }
    };
    let Some(plan) = read(&file, arguments) else {
        let _ = writeln!(std::io::stderr(), "{}: not usable; nothing was started", file.display());
        return ExitCode::FAILURE;
    };
    if let Err(failure) = allowed(&plan, arguments, &file) {
        let _ = writeln!(std::io::stderr(), "pound: {failure}");
        return ExitCode::FAILURE;
    }
    if !usable(&plan) {
        let _ = writeln!(std::io::stderr(), "{}: not usable; nothing was started", file.display());
        return ExitCode::FAILURE;
    }
    for misgiving in log_outside_of_jail(&plan).into_iter().chain(lists_outside_of_jail(&plan)) {
        let _ = writeln!(std::io::stderr(), "warning: {misgiving}");
    }
    if let Some(path) = &plan.logging.file
        && let Some(sentence) = no_place(path)
    {
        let place = Failure::at(&file, "LogFile", format_args!("LogFile {}: {sentence}", path.display()));
        let _ = writeln!(std::io::stderr(), "warning: {place}; a start on this machine would be refused");
    }
    // Scripts take any word for a complaint, as C Pound says none.
    if arguments.verbose {
        describe(&plan);
        let _ = writeln!(std::io::stdout(), "{}: the configuration is right", file.display());
    }
    ExitCode::SUCCESS
}

/// A log file that the server in its jail cannot open again.
fn log_outside_of_jail(plan: &plan::Plan) -> Option<String> {
    let (jail, file) = (plan.process.root_jail.as_ref()?, plan.logging.file.as_ref()?);
    (!file.starts_with(jail)).then(|| {
        format!(
            "LogFile {} lies outside of RootJail {}, so the server cannot open it again after SIGUSR1, and lines are lost when logrotate removes or compresses the file that it moved away; let logrotate use copytruncate, or put the file inside",
            file.display(),
            jail.display()
        )
    })
}

/// Lists that the server in its jail cannot follow. At a start the log says so.
fn lists_outside_of_jail(plan: &plan::Plan) -> Vec<String> {
    let Some(jail) = &plan.process.root_jail else { return Vec::new() };
    let files = plan.watched.iter().filter_map(|content| content.path());
    files
        .filter(|file| !file.starts_with(jail))
        .map(|file| {
            format!(
                "{} lies outside of RootJail {} and is not followed; put it inside to have changes seen",
                file.display(),
                jail.display()
            )
        })
        .collect()
}

/// Why no log can be made at this path, as far as that is seen without making it. Like other files that are not here it may
/// be on the machine that is to serve.
fn no_place(path: &Path) -> Option<&'static str> {
    if path.is_dir() {
        return Some("it is a directory");
    }
    path.parent().is_some_and(|parent| !parent.is_dir()).then_some("there is no such directory")
}

/// Whether the files for TLS that the plan names can be used; prints what is wrong with them.
fn usable(plan: &plan::Plan) -> bool {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let findings = engine::check_tls(plan, now.map_or(0, |now| now.as_secs() as i64));
    for finding in &findings {
        let word = if finding.is_error { "error" } else { "warning" };
        let _ = writeln!(std::io::stderr(), "{word}: {}", finding.sentence);
    }
    findings.iter().all(|finding| !finding.is_error)
}

/// The file that is read.
fn configuration(arguments: &Arguments) -> Result<PathBuf, Failure> {
    match &arguments.file {
        Some(file) => Ok(file.clone()),
        None => PLACES.iter().map(PathBuf::from).find(|place| place.exists()).ok_or_else(|| {
            let [first, second] = PLACES;
            Failure::new(format!(
                "there is no configuration at {first} or {second}; write one, or name one with -f (pound demo needs none)"
            ))
        }),
    }
}

/// Reads it, and prints what is to be said about it; `None` if it cannot be used.
fn read(file: &Path, arguments: &Arguments) -> Option<plan::Plan> {
    let (plan, diagnostics) = config::load(file, &options(file, arguments));
    let color = std::io::stderr().is_terminal();
    let _ = write!(std::io::stderr(), "{}", diagnostics.render(color));
    plan.filter(|_| !diagnostics.has_errors())
}

/// How it is read. File names are made absolute: a daemon leaves the folder that they are relative to.
fn options(file: &Path, arguments: &Arguments) -> config::Options {
    config::Options {
        include_dir: Some(folder(file, arguments)),
        watched: arguments.to_stderr,
        deprecated: match arguments.features.deprecated {
            Deprecated::Accept => config::Deprecated::Ok,
            Deprecated::Warn => config::Deprecated::Warn,
            Deprecated::Refuse => config::Deprecated::Error,
        },
        ..config::Options::default()
    }
}

/// Where relative names in the configuration are looked up.
fn folder(file: &Path, arguments: &Arguments) -> PathBuf {
    let folder = match &arguments.features.include_dir {
        IncludeDir::Path(folder) => folder.clone(),
        IncludeDir::None => PathBuf::new(),
        IncludeDir::Default => file.parent().map(Path::to_owned).unwrap_or_default(),
    };
    // Joining fails only if the working directory is gone; then relative names lead nowhere anyhow.
    std::env::current_dir().map_or(folder.clone(), |here| here.join(folder))
}

/// What of a plan can be judged on this machine without starting it, for a start and for `-c`: that nothing is named
/// which may not be looked up, and who is to serve.
fn allowed(plan: &plan::Plan, arguments: &Arguments, file: &Path) -> Result<Identity, Failure> {
    if !arguments.features.dns {
        refuse_names(plan, file)?;
    }
    Identity::resolve(&plan.process, file)
}

/// With `-W no-dns` a host name is a mistake: nothing will look it up.
fn refuse_names(plan: &plan::Plan, file: &Path) -> Result<(), Failure> {
    let listener = plan.listeners.iter().find_map(|listener| match &listener.address {
        plan::ListenAddress::Name(name, _) => Some(("a listener", name)),
        _ => None,
    });
    let backend = plan.backends.iter().find_map(|backend| match &backend.address {
        plan::BackendAddress::Name(name, _) => Some(("a back-end", name)),
        _ => None,
    });
    match listener.or(backend) {
        None => Ok(()),
        Some((what, name)) => Err(Failure::new(format!(
            "{}: {what} has the host name {name} for an address, and -W no-dns forbids to look it up; write the address",
            file.display()
        ))),
    }
}

/// The file with our id, if there is to be one: `-p` goes before `PIDFile`, which goes before the built-in place.
fn open_pid_file(
    arguments: &Arguments,
    process: &plan::Process,
    in_background: bool,
    file: &Path,
) -> Result<Option<PidFile>, Failure> {
    let (path, by_option) = match (&arguments.pid_file, &process.pid_file) {
        (Some(path), _) if path.as_os_str() == "-" => return Ok(None),
        (Some(path), _) => (path.clone(), true),
        (None, PidWish::None) => return Ok(None),
        // Like all names in the file; that of an option is relative to where it was typed.
        (None, PidWish::Path(path)) => (folder(file, arguments).join(path), false),
        (None, PidWish::Default) if in_background => (PathBuf::from(pid_file::DEFAULT), true),
        (None, PidWish::Default) => return Ok(None),
    };
    match PidFile::open(&path) {
        Ok(pid_file) => Ok(Some(pid_file)),
        Err(sentence) if by_option => Err(Failure::new(sentence)),
        Err(sentence) => Err(Failure::at(file, "PIDFile", sentence)),
    }
}

/// Says something to whoever starts us that is no reason not to start.
fn warn(sentence: &str) {
    let _ = writeln!(std::io::stderr(), "pound: warning: {sentence}");
}

/// `-v` at a start: what was read, and what listens, as bound.
fn tell(file: &Path, prepared: &engine::Prepared) {
    let listeners = &prepared.plan().listeners;
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "pound: configuration {}", file.display());
    for (id, address) in prepared.bound() {
        let name = listeners.get(id).and_then(|listener| listener.name.as_deref()).unwrap_or("");
        let gap = if name.is_empty() { "" } else { " " };
        let _ = writeln!(out, "pound: listener {}{gap}{name} on {address}", id + 1);
    }
}

/// `-c -v`: what the file means.
fn describe(plan: &plan::Plan) {
    let mut out = std::io::stdout().lock();
    for listener in &plan.listeners {
        let name = listener.name.as_deref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
        let _ = writeln!(out, "listener {}{name} on {}", listener.id + 1, listener.address);
        for service in &listener.services {
            let name = service.name.as_deref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
            let _ = writeln!(out, "  {}{name}: {}", service.place, target(&service.target));
        }
    }
}

fn target(target: &plan::Target) -> String {
    match target {
        plan::Target::Backends(set) => {
            let members = set.groups.iter().flat_map(|group| &group.members);
            let names: Vec<String> = members.map(|member| member.backend.address.to_string()).collect();
            format!("back-ends {}", names.join(", "))
        }
        plan::Target::Redirect(redirect) => format!("redirect with {}", redirect.status),
        plan::Target::Error { status, .. } => format!("answer {status}"),
        plan::Target::Files(folder) => format!("files below {}", folder.display()),
        plan::Target::Success => "answer 200".into(),
        plan::Target::Nothing => "nothing that could answer: 503".into(),
    }
}
