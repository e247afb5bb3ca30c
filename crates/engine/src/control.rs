//! The thread beside the workers: it brings dead back-ends back and follows watched files.

use std::cell::RefCell;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;
use tokio::time::{Duration, MissedTickBehavior, interval};

use crate::backend::probe;
use crate::limits;
use crate::log::{Pen, Severity};
use crate::tls::{Follower, News, Source};
use crate::worker::Order;
use crate::world::World;

/// Runs until the workers are told to stop.
pub(crate) fn run(
    world: &Arc<World>,
    source: Source,
    pen: Pen,
    mut order: watch::Receiver<Order>,
    ready: &std::sync::mpsc::Sender<io::Result<()>>,
) {
    // Whoever starts threads waits for each; if it has gone, so will this one.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let _ = ready.send(Ok(()));
            runtime
        }
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let pen = RefCell::new(pen);
    runtime.block_on(async {
        let running = world.running();
        let probing = async {
            let mut alive = ticks(running.plan.alive);
            loop {
                alive.tick().await;
                let running = world.running();
                for live in probe::round(&running.backends).await {
                    let sentence = format_args!("back-end {} is back", live.plan.address);
                    pen.borrow_mut().event(Severity::Notice, sentence);
                }
            }
        };
        let following = async {
            let mut look = ticks(running.plan.watch_interval);
            let mut files = Files::new(&running.plan, &mut pen.borrow_mut());
            loop {
                look.tick().await;
                files.look(&mut pen.borrow_mut());
            }
        };
        let certifying = async {
            let mut say = |news: News, sentence: std::fmt::Arguments<'_>| {
                let severity = match news {
                    News::Good => Severity::Notice,
                    News::Warning => Severity::Warning,
                    News::Bad => Severity::Error,
                };
                pen.borrow_mut().event(severity, sentence);
            };
            let connectors = running.backends.iter().filter_map(|live| live.tls.clone()).collect();
            let mut follower = Follower::new(&running.plan, &running.tls, connectors, source, &mut say);
            if follower.is_idle() && running.token.is_none() {
                return std::future::pending().await;
            }
            let mut look = ticks(limits::CERTIFICATE_LOOK);
            loop {
                look.tick().await;
                while let Some((news, sentence)) = running.token.as_ref().and_then(|token| token.next_news())
                {
                    say(news, format_args!("{sentence}"));
                }
                follower.look(world.clock().wall().as_secs() as i64, &mut say);
            }
        };
        // A probe may take seconds; neither the files nor the end wait for it.
        tokio::select! {
            () = probing => {}
            () = following => {}
            () = certifying => {}
            _ = order.wait_for(|order| matches!(order, Order::Stop(_))) => {}
        }
    });
}

fn ticks(period: Duration) -> tokio::time::Interval {
    // An interval of zero would spin; the shortest that `Alive` can mean is a second's tenth.
    let mut ticks = interval(period.max(Duration::from_millis(100)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The watched files and what each looked like when it was last read.
struct Files {
    files: Vec<File>,
}

struct File {
    content: Arc<dyn plan::Watched>,
    /// Where it is for this process, which may live in a jail.
    path: PathBuf,
    /// `None` before the first look. The file may have changed between the reading of the configuration and now, so the
    /// first look reads it again whatever it finds.
    look: Option<Look>,
}

/// What tells that a file has changed.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Look {
    Missing,
    Seen { modified: Option<SystemTime>, len: u64, inode: u64 },
}

impl Files {
    fn new(plan: &plan::Plan, pen: &mut Pen) -> Files {
        let mut files = Vec::new();
        for content in &plan.watched {
            let Some(path) = content.path() else { continue };
            let path = match &plan.process.root_jail {
                None => path.to_owned(),
                Some(jail) => match path.strip_prefix(jail) {
                    Ok(inside) => Path::new("/").join(inside),
                    Err(_) => {
                        pen.event(
                            Severity::Warning,
                            format_args!(
                                "{} lies outside of RootJail {} and is not followed; put it inside to have changes seen",
                                path.display(),
                                jail.display()
                            ),
                        );
                        continue;
                    }
                },
            };
            files.push(File { content: content.clone(), path, look: None });
        }
        Files { files }
    }

    fn look(&mut self, pen: &mut Pen) {
        for file in &mut self.files {
            let now = Some(look_at(&file.path));
            match file.look {
                before if before == now => continue,
                // Nobody has to hear that it still says what it said.
                None => file.read(None),
                Some(_) => file.read(Some(pen)),
            }
            file.look = now;
        }
    }
}

impl File {
    /// Reads the file again. One that cannot be read, or holds nonsense, changes nothing; it is said once, and tried
    /// again when it changes again.
    fn read(&self, mut pen: Option<&mut Pen>) {
        let path = self.path.display();
        let mut say = |severity, sentence: std::fmt::Arguments<'_>| {
            if let Some(pen) = pen.as_deref_mut() {
                pen.event(severity, sentence);
            }
        };
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                say(
                    Severity::Error,
                    format_args!("{path} cannot be read again: {error}; the old content stays"),
                );
                return;
            }
        };
        match self.content.replace(text.as_deref()) {
            Ok(()) if text.is_some() => say(Severity::Notice, format_args!("{path}: file reloaded")),
            Ok(()) => say(Severity::Notice, format_args!("{path}: content cleared")),
            Err(errors) => {
                for (line, sentence) in errors {
                    say(Severity::Error, format_args!("{path}:{line}: {sentence}; the old content stays"));
                }
            }
        }
    }
}

fn look_at(path: &Path) -> Look {
    match std::fs::metadata(path) {
        Ok(metadata) => {
            Look::Seen { modified: metadata.modified().ok(), len: metadata.len(), inode: metadata.ino() }
        }
        Err(_) => Look::Missing,
    }
}
