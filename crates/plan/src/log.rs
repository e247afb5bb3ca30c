//! Where and in which words events and requests are logged.

/// The global logging directives.
#[derive(Debug, Clone)]
pub struct Logging {
    /// Where lines go.
    pub facility: Facility,
    /// `LogTag`: the program name in syslog lines.
    pub tag: String,
    /// The built-in formats 0 to 5 first, then those of `LogFormat`, in file order.
    pub formats: Vec<LogFormat>,
}

/// `LogFacility`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facility {
    /// `-`: standard output for requests, standard error for the rest.
    Standard,
    /// A syslog facility, by its number in RFC 5424 table 1 (`daemon` is 3).
    Syslog(u8),
}

/// One way to write a request's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFormat {
    /// The name by which `LogLevel` finds it.
    pub name: String,
    /// Empty: nothing is logged.
    pub parts: Vec<LogPart>,
}

/// A piece of a log line. Whatever the network had a say in is escaped when it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogPart {
    /// Taken as it is.
    Literal(String),
    /// `%a`: the client's address, read from the forwarded field as far as the peers are trusted.
    ClientAddress,
    /// `%A`: our own address on this connection.
    LocalAddress,
    /// `%B`: bytes of the answer's body; 0 if none.
    BytesSent,
    /// `%b`: bytes of the answer's body; `-` if none.
    BytesSentClf,
    /// `%D`: time taken in microseconds.
    DurationMicros,
    /// `%T` and `%{unit}T`: time taken.
    Duration(TimeUnit),
    /// `%h`: the peer's address.
    RemoteHost,
    /// `%H`: the protocol of the request.
    Protocol,
    /// `%{Name}i`: a request field as it was received, `-` if absent.
    RequestField(String),
    /// `%{Name}I`: a request field as it was sent to the back-end, `-` if absent.
    RequestFieldSent(String),
    /// `%l`: `-`, the remote log name of old.
    RemoteLogName,
    /// `%{listener|service|backend}L`: place in the file.
    Place(Noun),
    /// `%{listener|service|backend}N`: name, or the place where there is none.
    Name(Noun),
    /// `%m`: the method.
    Method,
    /// `%p`: the port of the listener.
    ListenerPort,
    /// `%P`: our process id.
    ProcessId,
    /// `%q`: the query with its question mark, or nothing.
    Query,
    /// `%r`: the request line as received.
    RequestLine,
    /// `%s`, `%>s`: the status of the answer.
    Status,
    /// `%t` and `%{…}t`: a time.
    Time {
        /// Which one.
        moment: Moment,
        /// How it is written.
        form: TimeForm,
    },
    /// `%u`: the user of Basic authentication, `-` if none.
    User,
    /// `%U`: the path that was asked for.
    Path,
    /// `%v`: the host that was asked for, `-` if none.
    VirtualHost,
}

/// What `%{…}L` and `%{…}N` speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noun {
    /// The listener.
    Listener,
    /// The service.
    Service,
    /// The back-end.
    Backend,
}

/// Unit of `%{unit}T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Whole seconds.
    Seconds,
    /// Whole milliseconds.
    Millis,
    /// Whole microseconds.
    Micros,
    /// Seconds with a fraction of six digits (`f`).
    SecondsFraction,
}

/// The moment of `%{begin:…}t` and `%{end:…}t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// When the request's first byte was here.
    Begin,
    /// When the answer was done.
    End,
}

/// How a time is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeForm {
    /// `[22/Nov/2026:16:03:00 +0000]`
    Clf,
    /// `sec`: seconds since the epoch.
    EpochSeconds,
    /// `msec`
    EpochMillis,
    /// `usec`
    EpochMicros,
    /// `msec_frac`: the milliseconds of the second, three digits.
    MillisFraction,
    /// `usec_frac`: six digits.
    MicrosFraction,
    /// A strftime(3) format.
    Strftime(String),
}

/// Why a format could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// Byte offset of the fault in the text.
    pub at: usize,
    /// Length of the faulty part in bytes.
    pub len: usize,
    /// What is wrong and what was expected.
    pub message: String,
}
