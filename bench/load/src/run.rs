//! The run: warm-up, window, figures.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use crate::client::{Client, Step, Volume};
use crate::histogram::Histogram;
use crate::options::Options;
use crate::request::Requests;
use crate::tls::Tls;

/// Events taken from the kernel per call.
const EVENTS: usize = 256;

/// The token of the timer; clients use their index.
const TIMER: u64 = u64::MAX;

/// How long past the window an answer may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Requests of a set rate that may wait for a free connection; more are counted as errors.
const QUEUE_MAX: usize = 100_000;

/// How long a flood lasts before it counts.
const FLOOD_RISES: Duration = Duration::from_millis(500);

/// Where in a run something begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// The window before a flood.
    Calm,
    Flood,
    /// The window that is counted.
    Begin,
    End,
}

/// Everything of a run.
struct Run<'a> {
    options: &'a Options,
    tls: Option<Tls>,
    poll: OwnedFd,
    clients: Vec<Option<Client>>,
    requests: Requests,
    scratch: Vec<u8>,
    latencies: Histogram,
    /// Those before the flood.
    calm: Option<Histogram>,
    /// Clients of the flood on which something happened, in the order in which it did: they wait for the others.
    flooding: VecDeque<usize>,
    /// What the flood asks for; nothing before it has begun.
    flood: Option<Requests>,
    handshakes: u64,
    volume: Volume,
    answered: u64,
    errors: u64,
    bad_status: u64,
    /// Handshakes that were full where they should not be, or the other way round.
    wrong_handshakes: u64,
    /// Whether answers count.
    counting: bool,
    /// Whether there is a request left to send.
    exhausted: bool,
    busy: usize,
    /// With a set rate: connections without a request, and the set times of requests without a connection.
    idle: Vec<usize>,
    due: VecDeque<Instant>,
}

/// Runs what the options say and writes the figures to standard output.
pub(crate) fn run(options: &Options) -> std::io::Result<()> {
    let tls = options.tls.as_ref().map(|file| Tls::new(file, options.resume)).transpose()?;
    let mut run = Run {
        options,
        tls,
        poll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
        clients: Vec::new(),
        requests: Requests::new(options),
        scratch: vec![0; 256 * 1024],
        latencies: Histogram::new(),
        calm: None,
        flooding: VecDeque::new(),
        flood: None,
        handshakes: 0,
        volume: Volume::default(),
        answered: 0,
        errors: 0,
        bad_status: 0,
        wrong_handshakes: 0,
        counting: false,
        exhausted: false,
        busy: 0,
        idle: Vec::new(),
        due: VecDeque::new(),
    };
    for index in 0..options.connections {
        let client = run.connect(index)?;
        run.clients.push(Some(client));
    }
    if options.hold {
        return run.hold();
    }
    let (begun, ended, at_begin) = run.window(&mut marks(options, Instant::now()))?;
    run.report(ended - begun, at_begin)
}

/// What begins when.
fn marks(options: &Options, now: Instant) -> VecDeque<(Instant, Mark)> {
    let mut at = now + if options.in_turn { Duration::ZERO } else { options.warm_up };
    let mut marks = VecDeque::new();
    if options.flood > 0 {
        marks.push_back((at, Mark::Calm));
        at += options.duration;
        marks.push_back((at, Mark::Flood));
        at += FLOOD_RISES;
    }
    marks.push_back((at, Mark::Begin));
    at += if options.in_turn { Duration::from_secs(600) } else { options.duration };
    marks.push_back((at, Mark::End));
    marks
}

impl Run<'_> {
    /// A new connection in this place.
    fn connect(&self, index: usize) -> std::io::Result<Client> {
        let client = Client::connect(self.options.address, self.tls.as_ref(), self.options.nagle)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        epoll::add(&self.poll, &client.stream, epoll::EventData::new_u64(index as u64), flags)?;
        Ok(client)
    }

    /// Sends and reads until the window is over.
    fn window(
        &mut self,
        marks: &mut VecDeque<(Instant, Mark)>,
    ) -> std::io::Result<(Instant, Instant, Volume)> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        epoll::add(&self.poll, &timer, epoll::EventData::new_u64(TIMER), epoll::EventFlags::IN)?;
        let interval = self.options.rate.map(|rate| Duration::from_nanos(1_000_000_000 / rate));
        let mut next_due = Instant::now();
        match interval {
            Some(_) => self.idle = (0..self.clients.len()).collect(),
            None => (0..self.clients.len()).for_each(|index| self.start(index, Instant::now())),
        }
        let mut begun = Instant::now();
        let mut at_begin = Volume::default();
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            let now = Instant::now();
            while let Some((_, mark)) = marks.pop_front_if(|(at, _)| *at <= now) {
                match mark {
                    Mark::Calm => self.counting = true,
                    Mark::Flood => self.begin_flood()?,
                    Mark::Begin => {
                        self.counting = true;
                        (begun, at_begin) = (now, self.volume);
                        say("begin")?;
                    }
                    Mark::End => marks.clear(),
                }
            }
            let next = marks.front().map(|(at, _)| *at).filter(|_| !(self.exhausted && self.busy == 0));
            let Some(mut wake) = next else {
                say("end")?;
                return Ok((begun, now, at_begin));
            };
            if let Some(interval) = interval {
                while next_due <= now {
                    self.ask_at(next_due);
                    next_due += interval;
                }
                wake = wake.min(next_due);
            }
            // One of the flood at a time, and only after all others have been looked at: their latency is measured.
            if let Some(index) = self.flooding.pop_front() {
                self.ready_in_flood(index)?;
            }
            if !self.flooding.is_empty() {
                wake = now;
            }
            set(&timer, wake.saturating_duration_since(Instant::now()))?;
            events.clear();
            match epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                match event.data.u64() {
                    TIMER => drop(rustix::io::read(&timer, &mut [0u8; 8])),
                    index if index as usize >= self.options.connections => {
                        self.flooding.push_back(index as usize);
                    }
                    index => self.ready(index as usize)?,
                }
            }
        }
    }

    /// What was counted so far was calm.
    fn begin_flood(&mut self) -> std::io::Result<()> {
        self.calm = Some(std::mem::replace(&mut self.latencies, Histogram::new()));
        self.counting = false;
        self.answered = 0;
        self.flood = Some(Requests::new(&Options { close: true, ..self.options.clone() }));
        for index in self.options.connections..self.options.connections + self.options.flood {
            self.clients.push(None);
            self.start_in_flood(index)?;
        }
        Ok(())
    }

    fn start_in_flood(&mut self, index: usize) -> std::io::Result<()> {
        // Out of the epoll set by closing it, then a new one in its place.
        self.clients[index] = None;
        let mut client = self.connect(index)?;
        if let Some(requests) = &mut self.flood {
            requests.next(&mut client.out);
        }
        // If this fails, so does the next look at it.
        client.begin(0, Instant::now(), &mut self.volume);
        self.clients[index] = Some(client);
        Ok(())
    }

    fn ready_in_flood(&mut self, index: usize) -> std::io::Result<()> {
        let Some(client) = &mut self.clients[index] else { return Ok(()) };
        match client.ready(&mut self.scratch, &mut self.volume) {
            Step::Waits => return Ok(()),
            Step::Answered { .. } if client.response.status == 200 => {
                self.handshakes += u64::from(self.counting);
                self.wrong_handshakes += u64::from(!judge(self.tls.as_ref(), client)?);
            }
            Step::Answered { .. } | Step::Failed => self.errors += 1,
        }
        self.start_in_flood(index)
    }

    /// A request of a set rate is due: it goes out now or when a connection is free.
    fn ask_at(&mut self, at: Instant) {
        match self.idle.pop() {
            Some(index) => self.start(index, at),
            None if self.due.len() < QUEUE_MAX => self.due.push_back(at),
            None => self.errors += 1,
        }
    }

    fn start(&mut self, index: usize, at: Instant) {
        let Some(client) = &mut self.clients[index] else { return };
        if !self.requests.next(&mut client.out) {
            self.exhausted = true;
            return;
        }
        self.busy += 1;
        if let Step::Failed = client.begin(self.requests.filler(), at, &mut self.volume) {
            self.errors += 1;
        }
    }

    fn ready(&mut self, index: usize) -> std::io::Result<()> {
        let Some(client) = &mut self.clients[index] else { return Ok(()) };
        let step = client.ready(&mut self.scratch, &mut self.volume);
        let reusable = match step {
            Step::Waits => return Ok(()),
            Step::Failed => {
                if client.began.is_some() {
                    self.errors += 1;
                }
                false
            }
            Step::Answered { reusable } => {
                if client.response.status != 200 {
                    self.bad_status += 1;
                }
                let right = judge(self.tls.as_ref(), client)?;
                if let Some(began) = client.began.filter(|_| self.counting) {
                    // The first ones cannot go on with a session.
                    self.wrong_handshakes += u64::from(!right && self.options.close);
                    self.latencies.add(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
                    self.answered += 1;
                }
                reusable && !self.options.close
            }
        };
        if client.began.take().is_some() {
            self.busy -= 1;
        }
        if !reusable {
            // Out of the epoll set by closing it, then a new one in its place.
            self.clients[index] = None;
            self.clients[index] = Some(self.connect(index)?);
        }
        if self.options.rate.is_none() {
            self.start(index, Instant::now());
        } else if let Some(at) = self.due.pop_front() {
            self.start(index, at);
        } else {
            self.idle.push(index);
        }
        Ok(())
    }

    /// One request on each connection; then nothing until the harness has looked at the proxy.
    fn hold(&mut self) -> std::io::Result<()> {
        self.counting = true;
        let end = Instant::now() + PATIENCE;
        for index in 0..self.clients.len() {
            let Some(client) = &mut self.clients[index] else { continue };
            self.requests.next(&mut client.out);
            let filler = self.requests.filler();
            client.begin(filler, Instant::now(), &mut self.volume);
            client.stream.set_nonblocking(false)?;
            client.stream.set_read_timeout(Some(PATIENCE))?;
            loop {
                match client.ready(&mut self.scratch, &mut self.volume) {
                    Step::Waits if Instant::now() < end => {}
                    Step::Answered { reusable: true } if client.response.status == 200 => {
                        judge(self.tls.as_ref(), client)?;
                        self.answered += 1;
                        break;
                    }
                    _ => {
                        self.errors += 1;
                        break;
                    }
                }
            }
        }
        say("begin")?;
        std::io::stdin().read_to_end(&mut Vec::new())?;
        // A connection that the proxy has ended meanwhile was not held.
        for client in self.clients.iter_mut().flatten() {
            client.stream.set_nonblocking(true)?;
            if !matches!(client.ready(&mut self.scratch, &mut self.volume), Step::Waits) {
                self.errors += 1;
            }
        }
        say("end")?;
        self.report(Duration::from_secs(1), Volume::default())
    }

    fn report(&self, took: Duration, at_begin: Volume) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "requests {}", self.answered)?;
        writeln!(out, "errors {}", self.errors + self.bad_status + self.wrong_handshakes)?;
        writeln!(out, "seconds {:.6}", took.as_secs_f64())?;
        writeln!(out, "sent {}", self.volume.sent - at_begin.sent)?;
        writeln!(out, "received {}", self.volume.received - at_begin.received)?;
        for (name, share) in [("p50_us", 0.5), ("p99_us", 0.99), ("p999_us", 0.999)] {
            writeln!(out, "{name} {:.1}", self.latencies.percentile_us(share))?;
        }
        if self.tls.is_some() {
            writeln!(out, "wrong_handshakes {}", self.wrong_handshakes)?;
        }
        if let Some(calm) = &self.calm {
            writeln!(out, "calm_p99_us {:.1}", calm.percentile_us(0.99))?;
            writeln!(out, "flood_handshakes {}", self.handshakes)?;
        }
        out.flush()
    }
}

/// Whether a connection's handshake was the one that is measured; always, where there is none.
fn judge(tls: Option<&Tls>, client: &Client) -> std::io::Result<bool> {
    match (tls, &client.tls) {
        (Some(tls), Some(connection)) => tls.judge(connection),
        _ => Ok(true),
    }
}

fn say(word: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{word}")?;
    out.flush()
}

fn set(timer: &OwnedFd, left: Duration) -> std::io::Result<()> {
    // 0 would disarm it.
    let left = left.max(Duration::from_nanos(1));
    let value = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &once)?;
    Ok(())
}
