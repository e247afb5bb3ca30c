//! The thread beside the workers: it brings dead back-ends back, notices those that hang, follows watched files, and gives
//! memory back.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::LocalOptions;
use tokio::sync::watch;
use tokio::time::{Duration, MissedTickBehavior, interval};

use crate::care;
use crate::limits;
use crate::log::{Pen, Severity};
use crate::tls::{Follower, News, Source};
use crate::watched::{self, Look};
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
    let runtime =
        match tokio::runtime::Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
        {
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
        let probing = care::probe_the_dead(world, &pen);
        let following = async {
            let mut look = ticks(running.plan.watch_interval);
            let mut files = Files::new(&running.plan, &mut pen.borrow_mut());
            loop {
                look.tick().await;
                while files.look(&mut pen.borrow_mut()) {
                    tokio::time::sleep(limits::WATCHED_SETTLES).await;
                }
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
        if let Some(sentence) = world.budget().misgiving() {
            pen.borrow_mut().event(Severity::Warning, format_args!("{sentence}"));
        }
        // A probe may take seconds; neither the files nor the end wait for it.
        tokio::select! {
            () = probing => {}
            () = care::look_for_stalls(world, &pen) => {}
            () = following => {}
            () = certifying => {}
            () = world.budget().give_back() => {}
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
    /// As it looked at the last look.
    seen: Option<Look>,
    /// As it looked when it was read; `None` before that. The file may have changed between the reading of the
    /// configuration and now, so it is read once whatever is found.
    taken: Option<Look>,
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
            files.push(File { content: content.clone(), path, seen: None, taken: None });
        }
        Files { files }
    }

    /// Looks at all files, and reads those that have changed and look the same as at the last look: by then, a program
    /// that writes one has most likely finished. Whether one is about to be read.
    fn look(&mut self, pen: &mut Pen) -> bool {
        let mut unsettled = false;
        for file in &mut self.files {
            let now = Some(Look::at(&file.path));
            if file.taken == now {
                file.seen = now;
                continue;
            }
            if file.seen != now {
                file.seen = now;
                unsettled = true;
                continue;
            }
            // Nobody has to hear that it still says what it said.
            let first = file.taken.is_none();
            file.taken = now;
            match watched::read(&*file.content, &file.path) {
                Ok(()) if first => {}
                Ok(()) => {
                    pen.event(Severity::Notice, format_args!("{}: file reloaded", file.path.display()));
                }
                Err(sentences) => {
                    for sentence in sentences {
                        pen.event(Severity::Error, format_args!("{sentence}; the old list goes on"));
                    }
                }
            }
        }
        unsettled
    }
}
