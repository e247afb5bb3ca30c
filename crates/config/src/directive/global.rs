//! Directives outside of all blocks.

use std::num::{NonZeroU32, NonZeroUsize};

use plan::limits;
use plan::process::PidFile;

use super::Directive as Row;
use super::Phase::{Names, Routes, Values};
use super::{Body, Lower, Scope, Standing, always, without_arguments};
use crate::diagnostic::Diagnostic;
use crate::lex::Word;
use crate::lower::{self, listener};

const GLOBAL: &[Scope] = &[Scope::Global];

/// Why the directives about threads do nothing.
const WORKERS: &str = "one worker serves each core; Workers sets another number";

/// The addresses of an `ACL` with a name stand in a block unless an option names a file.
fn no_file(words: &[Word]) -> bool {
    !words.iter().any(Word::is_flag)
}

pub(super) static ROWS: &[Row] = &[
    // Process
    Row {
        name: "User",
        scopes: GLOBAL,
        syntax: "NAME",
        since: "1.0",
        doc: "Run as this user, a name or a number, once the sockets are bound. Its supplementary groups are set too.",
        example: "User \"www-data\"",
        lower: Lower::Global(Values, |cx, statement| cx.global.process.user = cx.text(statement)),
        ..Row::ROW
    },
    Row {
        name: "Group",
        scopes: GLOBAL,
        syntax: "NAME",
        default: "the group of User",
        since: "1.0",
        doc: "Run as this group, a name or a number.",
        lower: Lower::Global(Values, |cx, statement| cx.global.process.group = cx.text(statement)),
        ..Row::ROW
    },
    Row {
        name: "RootJail",
        scopes: GLOBAL,
        syntax: "DIRECTORY",
        since: "1.0",
        doc: "Make this directory the root directory of the process once everything is read and bound.",
        lower: Lower::Global(Values, |cx, statement| cx.global.process.root_jail = cx.directory(statement)),
        ..Row::ROW
    },
    Row {
        name: "Daemon",
        scopes: GLOBAL,
        syntax: "BOOLEAN",
        default: "yes",
        since: "2.0",
        doc: "Go into the background. The options -F and -e override it.",
        lower: Lower::Global(Values, |cx, statement| {
            cx.set_boolean(statement, |cx, on| cx.global.process.daemon = on);
        }),
        ..Row::ROW
    },
    Row {
        name: "Supervisor",
        scopes: GLOBAL,
        syntax: "BOOLEAN",
        default: "yes",
        since: "4.0",
        doc: "Keep a parent process that starts the server again when it dies.",
        lower: Lower::Global(Values, |cx, statement| {
            cx.set_boolean(statement, |cx, on| cx.global.process.supervisor = on);
        }),
        ..Row::ROW
    },
    Row {
        name: "PIDFile",
        scopes: GLOBAL,
        syntax: "FILE|-",
        since: "4.1",
        doc: "Write the process id into this file; `-` writes none. The option -p overrides it.",
        example: "PIDFile \"/run/pound.pid\"",
        lower: Lower::Global(Values, |cx, statement| {
            cx.global.process.pid_file = match &*statement.arguments[0].text {
                "-" => PidFile::None,
                file => PidFile::Path(file.into()),
            };
        }),
        ..Row::ROW
    },
    Row {
        name: "Workers",
        scopes: GLOBAL,
        syntax: "NUMBER",
        default: "the number of cores that this process may use",
        since: "new",
        doc: "Threads that serve requests. Each has its own connections and does not wait for the others.",
        lower: Lower::Global(Values, |cx, statement| {
            if let Some(number) = cx.number(&statement.arguments[0], 1, lower::WORKERS_MAX) {
                cx.global.process.workers = NonZeroUsize::new(number as usize);
            }
        }),
        ..Row::ROW
    },
    Row {
        name: "MaxMemory",
        scopes: GLOBAL,
        syntax: "SIZE",
        default: "three quarters of what the system allows",
        since: "new",
        doc: "The most memory that the serving process takes, 16m or more, with 4 KiB of the kernel's for each client. \
              From seven eighths of it on, new clients wait in the queue of the system, and those who have sent part \
              of a head or idled for longest are closed for them; from fifteen sixteenths on, what would need \
              memory is answered by 503 (E-MEMORY). The log says so. What the system allows is the least of the \
              limits of the control group (a container), of `ulimit -d` and `-v`, and of the machine's memory.",
        example: "MaxMemory 512m",
        lower: Lower::Global(Values, |cx, statement| {
            let word = &statement.arguments[0];
            match cx.size(word) {
                Some(size) if size < limits::MEMORY_BYTES_MIN => {
                    cx.push(Diagnostic::error(word.span, "expected a size of 16m or more"));
                }
                size => cx.global.process.memory_max = size,
            }
        }),
        ..Row::ROW
    },
    Row {
        name: "Include",
        scopes: &[
            Scope::Global,
            Scope::Listener,
            Scope::TlsListener,
            Scope::Service,
            Scope::Backend,
            Scope::NamedBackend,
            Scope::Emergency,
            Scope::Session,
            Scope::Rewrite,
            Scope::RewriteResponse,
            Scope::Match,
            Scope::MatchResponse,
        ],
        syntax: "FILE",
        once: false,
        since: "2.5",
        doc: "Read this file here, as if its text stood in place of the line; it may stand in any block. The name may \
              be a pattern with `*`, `?` and `[…]`: all files that match are read, sorted by name. A name that does \
              not begin with `/` is relative to the include directory. A block must end in the file in which it began.",
        example: "Include \"conf.d/*.cfg\"",
        ..Row::ROW
    },
    Row {
        name: "IncludeDir",
        scopes: GLOBAL,
        syntax: "DIRECTORY",
        once: false,
        default: "the directory of the configuration file, or that of the option -W include-dir=DIRECTORY",
        since: "4.7",
        doc: "From here on, file names that do not begin with `/` are relative to this directory: those of Include, \
              ErrorFile, Error, SendFile, RootJail and of the options -file and -filewatch.",
        ..Row::ROW
    },
    // Time
    Row {
        name: "Alive",
        scopes: GLOBAL,
        syntax: "DURATION",
        default: "30s",
        since: "1.0",
        doc: "The longest time between two tries to connect to a back-end that is dead. The first comes after a quarter of a \
              second, each later one after twice the time, until it is this long. If no back-end of a service is alive, \
              a request itself tries those that refused their last connection at once. Also the longest time for which a back-end \
              is left out before a request tries it (MaxFails).",
        lower: Lower::Global(Values, |cx, statement| {
            cx.set_timeout(statement, |cx, time| cx.global.alive = time);
        }),
        ..Row::ROW
    },
    Row {
        name: "MaxFails",
        scopes: GLOBAL,
        syntax: "NUMBER",
        default: "3",
        since: "new",
        doc: "Leave a back-end out that takes connections and gives no answer on them to so many requests in a row: it \
              closes or resets them, is silent for TimeOut, or does not get through the TLS handshake. Any answer begins \
              the count anew; what a client breaks off does not count, nor does an answer that is malformed. At most half \
              of a group is left out, and only while another one is well. After a second, single requests try it, such as \
              can be sent again before others; three answers in a row let it in again. Each one that fails doubles the \
              time, up to Alive. 0 never leaves one out. For all back-ends that give none of their own.",
        lower: Lower::Global(Values, |cx, statement| {
            if let Some(fails) = cx.number(&statement.arguments[0], 0, u32::MAX.into()) {
                cx.global.fails_max = NonZeroU32::new(fails as u32);
            }
        }),
        ..Row::ROW
    },
    Row {
        name: "Grace",
        scopes: GLOBAL,
        syntax: "DURATION",
        default: "30s",
        since: "2.3",
        doc: "How long requests in flight may go on after a graceful stop. 0 cuts them off.",
        lower: Lower::Global(Values, |cx, statement| {
            if let Some(time) = cx.duration(&statement.arguments[0]) {
                cx.global.process.grace = time;
            }
        }),
        ..Row::ROW
    },
    Row {
        name: "GraceIdle",
        scopes: GLOBAL,
        syntax: "DURATION",
        default: "4s",
        since: "new",
        doc: "How long after its last answer an idle connection of a client is kept at a graceful stop, at most as long \
              as Client and Grace allow. A request that comes meanwhile is answered, and the answer says that the \
              connection ends, so that no request is lost with it. With 0 idle connections are closed at once.",
        lower: Lower::Global(Values, |cx, statement| {
            if let Some(time) = cx.duration(&statement.arguments[0]) {
                cx.global.process.grace_idle = time;
            }
        }),
        ..Row::ROW
    },
    Row {
        name: "WatcherTTL",
        scopes: GLOBAL,
        syntax: "DURATION",
        default: "1s",
        since: "4.17",
        doc: "How often the files of -filewatch are looked at.",
        lower: Lower::Global(Values, |cx, statement| {
            cx.set_timeout(statement, |cx, time| cx.global.watch_interval = time);
        }),
        ..Row::ROW
    },
    // Logs
    Row {
        name: "LogFacility",
        scopes: GLOBAL,
        syntax: "NAME|-",
        default: "daemon",
        since: "1.10",
        doc: "The facility of syslog to log to. With `-`, requests go to the standard output and all else to the \
              standard error.",
        lower: Lower::Global(Values, lower::logging::facility),
        ..Row::ROW
    },
    Row {
        name: "LogFile",
        scopes: GLOBAL,
        syntax: "FILE",
        since: "new",
        doc: "Log to this file, requests and all else, instead of to what LogFacility names. It is opened before root's \
              rights are given up, belongs to User from then on, and is opened again after a SIGUSR1: what logrotate \
              has moved away loses no line. The option -e overrides it.",
        example: "LogFile \"/var/log/pound.log\"",
        lower: Lower::Global(Values, lower::logging::file),
        ..Row::ROW
    },
    Row {
        name: "LogLevel",
        scopes: GLOBAL,
        syntax: "NUMBER|NAME",
        default: "1; with the option -e, 2",
        since: "1.0",
        doc: "How requests are logged: 0 or `null` not at all; 1 `regular`; 2 `extended`, also with service, back-end \
              and time; 3 `vhost_combined`, as Apache does; 4 `combined`, the same without the virtual host; 5 \
              `detailed`, all of this; or the name of a LogFormat. For all listeners that say nothing else.",
        lower: Lower::Global(Values, |cx, statement| {
            if let Some(format) = cx.log_format(&statement.arguments[0]) {
                cx.global.log_format = format;
            }
        }),
        ..Row::ROW
    },
    Row {
        name: "LogFormat",
        scopes: GLOBAL,
        syntax: "\"NAME\" [-json] \"FORMAT\"",
        arguments: (2, 3),
        options: true,
        once: false,
        since: "4.9",
        doc: "A format to be used by LogLevel. `%a` client, `%A` our address, `%b` `%B` bytes sent, `%D` \
              microseconds, `%h` peer, `%H` `http` or `https`, `%{Name}i` request field, empty if absent, `%{Name}I` \
              the same, `-` if absent, `%l` nothing, `%m` method, `%{listener|service}N` name, `%{backend}N` address of \
              the back-end or what else answered, `%{fault}N` code of an error of ours, `%{…}L` place in the file, `%p` port, `%P` process, `%q` query, `%r` \
              request line as received, `%s` status, `%>s` status line, `%t` time, `%{FORMAT}t` time as strftime or \
              `sec` `msec` `usec` `msec_frac` `usec_frac`, also with `begin:` or `end:` before it, `%T` seconds taken, \
              `%{ms|us|s|f}T` in another unit, `%u` user, `%U` path, `%v` host, `%%` a percent sign. Fields, path and \
              query are those that went on to the back-end. With -json the format is JSON, and each line is: a \
              specifier in quotes becomes a part of that text, elsewhere a number, a text in quotes, or `null`.",
        example: "LogFormat \"short\" \"%a %m %U %s %{f}T\"\nLogLevel \"short\"",
        lower: Lower::Global(Names, lower::logging::format),
        ..Row::ROW
    },
    Row {
        name: "LogTag",
        scopes: GLOBAL,
        syntax: "\"TEXT\"",
        default: "\"pound\"",
        since: "4.13",
        doc: "The program name in lines to syslog.",
        lower: Lower::Global(Values, lower::logging::tag),
        ..Row::ROW
    },
    Row {
        name: "ForwardedHeader",
        scopes: GLOBAL,
        syntax: "NAME",
        default: "X-Forwarded-For",
        since: "4.9",
        doc: "The field that names the client when a trusted proxy stands before Pound.",
        lower: Lower::Global(Values, |cx, statement| {
            if let Some(name) = cx.field_name(&statement.arguments[0]) {
                cx.global.forwarded_header = name;
            }
        }),
        ..Row::ROW
    },
    Row {
        name: "TrustedIP",
        scopes: GLOBAL,
        syntax: "\"ACL\" | -file \"FILE\" | -filewatch \"FILE\" | block of addresses",
        arguments: (0, 2),
        options: true,
        body: Body::Entries(without_arguments),
        default: "nobody",
        since: "4.9",
        doc: "The proxies before Pound that are believed: the name of an ACL, a file, or a block as that of ACL. What they \
              say about the client in ForwardedHeader and in X-Forwarded-*, Forwarded, X-Real-IP, X-SSL-* and the like \
              goes on to the back-end, X-Forwarded-For with the proxy's own address behind it. From everybody else \
              these fields are removed.",
        example: "TrustedIP\n\t127.0.0.0/8\n\t::1\nEnd",
        lower: Lower::Global(Values, |cx, statement| cx.global.trusted = cx.acl_reference(statement)),
        ..Row::ROW
    },
    Row {
        name: "Anonymise",
        aliases: &["Anonymize"],
        scopes: GLOBAL,
        arguments: (0, 1),
        since: "2.7",
        standing: Standing::Pending,
        doc: "Log the last part of client addresses as 0.",
        ..Row::ROW
    },
    // Proxy
    Row {
        name: "Balancer",
        scopes: GLOBAL,
        syntax: "random|iwrr",
        default: "random",
        since: "4.6",
        doc: "How one of several back-ends is chosen: at random, weighted by Priority, or by interleaved weighted \
              round robin, which keeps the shares exact. For all services that say nothing else.",
        lower: Lower::Global(Values, |cx, statement| {
            if let Some(balancer) = cx.balancer(&statement.arguments[0]) {
                cx.global.balancer = balancer;
            }
        }),
        ..Row::ROW
    },
    Row {
        name: "HeaderOption",
        scopes: GLOBAL,
        syntax: "none|all|[no-]forwarded|[no-]ssl|ssl-folded …",
        arguments: (1, 16),
        once: false,
        default: "forwarded ssl",
        since: "4.4",
        doc: "Which fields are added to requests: `forwarded` are X-Forwarded-For, -Proto and -Port; `ssl` are those \
              that begin with X-SSL and concern only HTTPS. A word with `no-` takes them away; the words are read from left to \
              right, lines from the first to the last, and a listener changes what is said here. `ssl-folded` are the \
              same with X-SSL-certificate over several lines, as C Pound sends it; RFC 9112 forbids to send such a \
              field, and most servers refuse it, so it is only for back-ends that read nothing else.",
        lower: Lower::Global(Values, |cx, statement| {
            if let Some(options) = cx.header_options(statement, cx.global.headers) {
                cx.global.headers = options;
            }
        }),
        ..Row::ROW
    },
    Row {
        name: "CombineHeaders",
        scopes: GLOBAL,
        arguments: (0, 0),
        body: Body::Ignored(always, &[]),
        since: "4.11",
        standing: Standing::Pending,
        doc: "Join several fields of the same name into one.",
        ..Row::ROW
    },
    Row {
        name: "BackendStats",
        scopes: GLOBAL,
        syntax: "BOOLEAN",
        since: "4.5",
        standing: Standing::Pending,
        doc: "Keep statistics on back-ends.",
        ..Row::ROW
    },
    // Patterns
    Row {
        name: "RegexType",
        scopes: GLOBAL,
        syntax: "posix|pcre|perl",
        once: false,
        default: "posix",
        since: "4.13",
        doc: "The kind of regular expressions that follow, up to the next RegexType: POSIX extended or \
              Perl-compatible (`pcre` and `perl` are the same). The options -posix, -pcre and -perl override it.",
        lower: Lower::Global(Routes, |cx, statement| {
            let kinds = [
                ("posix", plan::pattern::Kind::Posix),
                ("pcre", plan::pattern::Kind::Perl),
                ("perl", plan::pattern::Kind::Perl),
            ];
            if let Some(kind) = cx.choice(&statement.arguments[0], &kinds) {
                cx.regex_kind = kind;
            }
        }),
        ..Row::ROW
    },
    Row {
        name: "IgnoreCase",
        scopes: GLOBAL,
        syntax: "BOOLEAN",
        once: false,
        default: "no",
        since: "2.5",
        standing: Standing::Deprecated("the option -icase of each pattern"),
        doc: "Whether the patterns that follow ignore case.",
        lower: Lower::Global(Routes, |cx, statement| cx.set_boolean(statement, |cx, on| cx.ignore_case = on)),
        ..Row::ROW
    },
    // Objects
    Row {
        name: "ListenHTTP",
        scopes: GLOBAL,
        syntax: "[\"NAME\"]",
        arguments: (0, 1),
        once: false,
        body: Body::Block(Scope::Listener),
        since: "1.0",
        doc: "A place where HTTP clients come in.",
        example: "ListenHTTP\n\tAddress 0.0.0.0\n\tPort 80\nEnd",
        lower: Lower::Global(Routes, listener::lower),
        ..Row::ROW
    },
    Row {
        name: "ListenHTTPS",
        scopes: GLOBAL,
        syntax: "[\"NAME\"]",
        arguments: (0, 1),
        once: false,
        body: Body::Block(Scope::TlsListener),
        since: "1.0",
        doc: "A place where HTTPS clients come in: TLS 1.2 and 1.3, and HTTP/1.1 inside of it.",
        example: "ListenHTTPS\n\tAddress 0.0.0.0\n\tPort 443\n\tCert \"/etc/pound/site.pem\"\nEnd",
        lower: Lower::Global(Routes, listener::lower_tls),
        ..Row::ROW
    },
    Row {
        name: "Service",
        scopes: &[Scope::Global, Scope::Listener, Scope::TlsListener],
        syntax: "[\"NAME\"]",
        arguments: (0, 1),
        once: false,
        body: Body::Block(Scope::Service),
        since: "2.0",
        doc: "Conditions, and what answers when they hold. In ListenHTTP it answers for that listener only; outside \
              of all blocks for every listener, after the listener's own services.",
        example: "Service \"shop\"\n\tHost \"shop.example.org\"\n\tBackend\n\t\tAddress 192.0.2.10\n\t\tPort 8080\n\tEnd\nEnd",
        lower: Lower::ServiceBlock,
        ..Row::ROW
    },
    Row {
        name: "Backend",
        scopes: GLOBAL,
        syntax: "\"NAME\"",
        arguments: (1, 1),
        once: false,
        body: Body::Block(Scope::NamedBackend),
        since: "4.10",
        doc: "A back-end with a name, for UseBackend in services.",
        example: "Backend \"app1\"\n\tAddress app1.example.org\n\tPort 8080\nEnd\nService\n\tUseBackend \"app1\"\nEnd",
        lower: Lower::Global(super::Phase::Backends, lower::backend::lower_named),
        ..Row::ROW
    },
    Row {
        name: "ACL",
        scopes: GLOBAL,
        syntax: "\"NAME\" … End | \"NAME\" -file \"FILE\" | \"NAME\" -filewatch \"FILE\"",
        arguments: (1, 3),
        options: true,
        once: false,
        body: Body::Entries(no_file),
        since: "4.1",
        doc: "A list of addresses and networks, one a line, in the block or in a file. The file of -filewatch \
              is read again when it changes. An IPv4 entry also matches IPv4-mapped IPv6 addresses.",
        example: "ACL \"office\"\n\t192.0.2.0/24\n\t2001:db8::/32\nEnd",
        lower: Lower::Global(Names, lower::acl::define),
        ..Row::ROW
    },
    // Keys
    Row {
        name: "SSLEngine",
        scopes: GLOBAL,
        syntax: "\"pkcs11:…\"",
        since: "1.0",
        doc: "Private keys are in a token: a security module, a card, a service behind a PKCS#11 module. A Cert that has no \
              private key, in its file or beside it, belongs to the key of the token with the same public half, of RSA or \
              ECDSA. The text is a URI as RFC 7512 has it: `module-path` names the module; `token`, `serial`, \
              `manufacturer`, `model` and `slot-id` say which token of it; `object` and `id` narrow down its keys; \
              `pin-source` names a file whose first line is the PIN, and `pin-value` gives it, though whoever can read the \
              configuration then knows it. Engines of OpenSSL, which C Pound means by a name here, are not loaded. See the \
              chapter on TLS.",
        example: "SSLEngine \"pkcs11:token=web?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/pound/pin\"",
        lower: Lower::Global(Values, lower::token::lower),
        ..Row::ROW
    },
    // Without effect
    Row {
        name: "WorkerMinCount",
        scopes: GLOBAL,
        syntax: "NUMBER",
        since: "4.1",
        standing: Standing::NoEffect(WORKERS),
        doc: "Threads of C Pound.",
        ..Row::ROW
    },
    Row {
        name: "WorkerMaxCount",
        scopes: GLOBAL,
        syntax: "NUMBER",
        since: "4.1",
        standing: Standing::NoEffect(WORKERS),
        doc: "Threads of C Pound.",
        ..Row::ROW
    },
    Row {
        name: "WorkerIdleTimeout",
        scopes: GLOBAL,
        syntax: "DURATION",
        since: "4.1",
        standing: Standing::NoEffect(WORKERS),
        doc: "Threads of C Pound.",
        ..Row::ROW
    },
    Row {
        name: "WorkerStackSize",
        scopes: GLOBAL,
        syntax: "SIZE",
        since: "4.23",
        standing: Standing::NoEffect(WORKERS),
        doc: "Threads of C Pound.",
        ..Row::ROW
    },
    Row {
        name: "Threads",
        scopes: GLOBAL,
        syntax: "NUMBER",
        since: "2.6",
        standing: Standing::NoEffect(WORKERS),
        doc: "Threads of C Pound.",
        ..Row::ROW
    },
    Row {
        name: "ConnectionQueueSize",
        scopes: GLOBAL,
        syntax: "NUMBER",
        since: "4.23",
        standing: Standing::NoEffect("connections are served as they come, there is no queue"),
        doc: "The queue of C Pound between accepting and serving.",
        ..Row::ROW
    },
    Row {
        name: "ReserveFD",
        scopes: GLOBAL,
        syntax: "[-worker] NUMBER",
        arguments: (1, 2),
        options: true,
        once: false,
        since: "4.23",
        standing: Standing::NoEffect("file descriptors are not set aside"),
        doc: "File descriptors that C Pound keeps free.",
        ..Row::ROW
    },
    Row {
        name: "ECDHCurve",
        scopes: GLOBAL,
        syntax: "NAME",
        since: "2.7",
        standing: Standing::NoEffect("the curves are negotiated"),
        doc: "The curve of old key exchanges.",
        ..Row::ROW
    },
    // Not built yet
    Row {
        name: "Control",
        scopes: GLOBAL,
        syntax: "\"PATH\" | block",
        arguments: (0, 1),
        once: false,
        body: Body::Ignored(without_arguments, &[]),
        since: "2.2",
        standing: Standing::Pending,
        doc: "The socket of poundctl.",
        ..Row::ROW
    },
    Row {
        name: "Tunnel",
        scopes: GLOBAL,
        syntax: "[\"NAME\"]",
        arguments: (0, 1),
        once: false,
        body: Body::Ignored(always, &["Backend"]),
        since: "4.23",
        standing: Standing::Pending,
        doc: "Relays bytes between a client and one back-end.",
        ..Row::ROW
    },
    Row {
        name: "Condition",
        scopes: GLOBAL,
        syntax: "\"NAME\" [and|or]",
        arguments: (1, 2),
        once: false,
        body: Body::Ignored(always, &["Match", "Not Match", "ACL"]),
        since: "4.19",
        standing: Standing::Pending,
        doc: "A condition with a name.",
        ..Row::ROW
    },
    Row {
        name: "Constant",
        scopes: &[Scope::Global, Scope::Listener, Scope::TlsListener, Scope::Service],
        syntax: "\"NAME\" \"VALUE\"",
        arguments: (2, 4),
        options: true,
        once: false,
        since: "4.23",
        standing: Standing::Pending,
        doc: "A value for %[const NAME].",
        ..Row::ROW
    },
    Row {
        name: "Lua",
        scopes: GLOBAL,
        arguments: (0, 0),
        once: false,
        body: Body::Ignored(always, &[]),
        since: "4.19",
        standing: Standing::Pending,
        doc: "Loads Lua files.",
        ..Row::ROW
    },
    Row {
        name: "Resolver",
        scopes: GLOBAL,
        arguments: (0, 0),
        body: Body::Ignored(always, &["ConfigText"]),
        since: "4.14",
        standing: Standing::Pending,
        doc: "How host names of back-ends are resolved.",
        ..Row::ROW
    },
];
