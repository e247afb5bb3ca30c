//! The thread beside the workers: it brings dead back-ends back and follows watched files.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;
use tokio::time::{Duration, MissedTickBehavior, interval};

use crate::backend::probe;
use crate::log::{Pen, Severity};
use crate::worker::Order;
use crate::world::World;

/// Runs until the workers are told to stop.
pub(crate) fn run(world: &Arc<World>, mut pen: Pen, mut order: watch::Receiver<Order>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let running = world.running();
        let mut alive = ticks(running.plan.alive);
        let mut look = ticks(running.plan.watch_interval);
        let mut files = Files::new(&running.plan);
        loop {
            tokio::select! {
                _ = alive.tick() => {
                    let running = world.running();
                    for live in probe::round(&running.backends).await {
                        pen.event(Severity::Notice, format_args!("back-end {} is back", live.plan.address));
                    }
                }
                _ = look.tick() => files.look(&mut pen),
                stop = order.wait_for(|order| matches!(order, Order::Stop(_))) => {
                    drop(stop);
                    break;
                }
            }
        }
    });
    Ok(())
}

fn ticks(period: Duration) -> tokio::time::Interval {
    // An interval of zero would spin; the shortest that `Alive` can mean is a second's tenth.
    let mut ticks = interval(period.max(Duration::from_millis(100)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The watched files and what each looked like when it was last read.
struct Files {
    files: Vec<(Arc<dyn plan::Watched>, Look)>,
}

/// What tells that a file has changed.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Look {
    Missing,
    Seen { modified: Option<SystemTime>, len: u64, inode: u64 },
}

impl Files {
    fn new(plan: &plan::Plan) -> Files {
        let files = plan.watched.iter().map(|file| (file.clone(), look_at(file.as_ref()))).collect();
        Files { files }
    }

    fn look(&mut self, pen: &mut Pen) {
        for (file, before) in &mut self.files {
            let now = look_at(file.as_ref());
            if now == *before {
                continue;
            }
            let Some(path) = file.path() else { continue };
            let text = match std::fs::read_to_string(path) {
                Ok(text) => Some(text),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => {
                    // It has changed and cannot be read: said once, and tried again when it changes again.
                    pen.event(Severity::Error, format_args!("{} cannot be read again: {error}", path.display()));
                    *before = now;
                    continue;
                }
            };
            *before = now;
            match file.replace(text.as_deref()) {
                Ok(()) if text.is_some() => {
                    pen.event(Severity::Notice, format_args!("{}: file reloaded", path.display()));
                }
                Ok(()) => pen.event(Severity::Notice, format_args!("{}: content cleared", path.display())),
                Err(errors) => {
                    for (line, sentence) in errors {
                        pen.event(Severity::Error, format_args!("{}:{line}: {sentence}; the old content stays", path.display()));
                    }
                }
            }
        }
    }
}

fn look_at(file: &dyn plan::Watched) -> Look {
    use std::os::unix::fs::MetadataExt;
    match file.path().and_then(|path| std::fs::metadata(path).ok()) {
        Some(metadata) => {
            Look::Seen { modified: metadata.modified().ok(), len: metadata.len(), inode: metadata.ino() }
        }
        None => Look::Missing,
    }
}
