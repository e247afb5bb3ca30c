//! How much memory this process takes, and what is done before it is too much (`MaxMemory`).
//!
//! Nothing is counted byte by byte on the request path. A worker adds up what it takes anew from the allocator, which is
//! little once its stores are filled; after each [`Budget::step`] of that it looks at what the kernel says, so that what
//! comes within a moment has a bound as well as what lasts. What follows from a look holds for all workers:
//!
//! ```text
//!   Easy ── 7/8 ──▶ Tight: no new clients, no large buffers and no pipes; those who have waited longest go
//!         ── 15/16 ▶ Full: no new buffer either; what would need one is refused (503, E-MEMORY)
//! ```
//!
//! Memory that was freed stays with the allocator, which seldom gives it back. [`Budget::give_back`] sees to that, in the
//! thread beside the workers.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::process::{Resource, getrlimit};
use tokio::sync::Notify;

use crate::limits;
use crate::seats::Seats;
use crate::sys;

/// How near the end of the memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strain {
    Easy,
    Tight,
    Full,
}

/// The memory that there is for all workers together.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Bytes.
    most: u64,
    /// Where `most` comes from, for people.
    from: &'static str,
    seats: Arc<Seats>,
    /// What the kernel says of this process; open, since there is no `/proc` in a jail.
    statm: OnceLock<File>,
    /// Bytes that are neither the allocator's nor those of a file: stacks and the like.
    beside: AtomicU64,
    strain: AtomicU8,
    /// Rung when it gets tight, or when there is something to give back.
    bell: Notify,
}

/// What the kernel says, in bytes.
#[derive(Debug, Clone, Copy)]
struct Resident {
    all: u64,
    /// Pages of files, the program's own above all: the kernel can take them away and read them again.
    of_files: u64,
}

impl Budget {
    /// A budget of what was asked for, or of what the system allows.
    pub(crate) fn new(asked: Option<u64>, seats: Arc<Seats>) -> Budget {
        let (most, from) = match asked {
            Some(most) => (most, "MaxMemory"),
            None => allowed().map_or((u64::MAX, "no limit"), |(most, from)| (most / 4 * 3, from)),
        };
        Budget {
            most,
            from,
            seats,
            statm: OnceLock::new(),
            beside: AtomicU64::new(0),
            strain: AtomicU8::new(Strain::Easy as u8),
            bell: Notify::new(),
        }
    }

    /// Begins to look. To be called in the process that serves, after its last fork and before its jail; once more does
    /// nothing.
    pub(crate) fn watch(&self) {
        if self.statm.get().is_none()
            && let Ok(statm) = File::open("/proc/self/statm")
        {
            let _ = self.statm.set(statm);
        }
        if let Some(resident) = self.resident() {
            let heap = sys::memory::allocated(resident.all).unwrap_or(resident.all);
            let beside = resident.all.saturating_sub(resident.of_files + heap);
            self.beside.store(beside, Ordering::Relaxed);
        }
    }

    /// Bytes that a worker may take between two looks: small against what is left at the first threshold.
    fn step(&self) -> u64 {
        (self.most / 128).clamp(limits::MEMORY_STEP_MIN, limits::MEMORY_STEP_MAX)
    }

    /// Bytes of log lines that may wait for each of so many writers.
    pub(crate) fn log_bytes(&self, pens: usize) -> usize {
        let share = usize::try_from(self.most / limits::LOG_SHARE).unwrap_or(usize::MAX) / pens.max(1);
        share.clamp(limits::LOG_BYTES_MIN, limits::LOG_BYTES)
    }

    /// What came of the last look.
    pub(crate) fn strain(&self) -> Strain {
        match self.strain.load(Ordering::Relaxed) {
            0 => Strain::Easy,
            1 => Strain::Tight,
            _ => Strain::Full,
        }
    }

    /// Looks now.
    pub(crate) fn measure(&self) -> Strain {
        let strain = self.resident().map_or(Strain::Easy, |resident| self.judge(resident));
        let before = self.strain.swap(strain as u8, Ordering::Relaxed);
        if strain > Strain::Easy && before == Strain::Easy as u8 {
            self.bell.notify_one();
        }
        strain
    }

    fn judge(&self, resident: Resident) -> Strain {
        let open = self.seats.open();
        let sockets = open as u64 * limits::SOCKET_BYTES;
        let taken = resident.all + sockets;
        let (tight, full) = (self.most / 8 * 7, self.most / 16 * 15);
        // Some clients are served whatever there is: nobody but them could free anything.
        if taken < tight || open <= limits::CLIENTS_ALWAYS {
            return Strain::Easy;
        }
        // What the allocator holds and nobody uses can be used again, and is about to be given back.
        let in_use = self.heap(resident) + resident.of_files + self.beside.load(Ordering::Relaxed) + sockets;
        match in_use.min(taken) {
            wanted if wanted >= full => Strain::Full,
            wanted if wanted >= tight || taken >= self.most => Strain::Tight,
            _ => {
                self.bell.notify_one();
                Strain::Easy
            }
        }
    }

    fn heap(&self, resident: Resident) -> u64 {
        sys::memory::allocated(resident.all).unwrap_or(resident.all)
    }

    fn resident(&self) -> Option<Resident> {
        let mut text = [0; 128];
        let len = self.statm.get()?.read_at(&mut text, 0).ok()?;
        // proc_pid_statm(5): pages of address space, resident ones, those of files among them.
        let mut pages = std::str::from_utf8(text.get(..len)?).ok()?.split_ascii_whitespace().skip(1);
        let mut next = || pages.next()?.parse::<u64>().ok().map(|pages| pages * sys::memory::page_bytes());
        Some(Resident { all: next()?, of_files: next()? })
    }

    /// Gives back what the allocator holds and nobody uses, again and again. Never ends.
    pub(crate) async fn give_back(&self) {
        let (mut lowest, mut pause) = (u64::MAX, limits::MEMORY_LOOK);
        loop {
            let look = if self.measure() == Strain::Easy { pause } else { limits::MEMORY_LOOK_TIGHT };
            // Not more often, whatever the bell says: it takes the locks of the allocator.
            tokio::time::sleep(limits::MEMORY_LOOK_TIGHT.min(look)).await;
            let rest = look.saturating_sub(limits::MEMORY_LOOK_TIGHT);
            let _ = tokio::time::timeout(rest, self.bell.notified()).await;
            let Some(resident) = self.resident() else { continue };
            lowest = lowest.min(resident.all);
            pause = limits::MEMORY_LOOK;
            if resident.all < lowest + lowest / 8 + limits::MEMORY_RETAINED {
                continue;
            }
            let anonymous =
                resident.all.saturating_sub(resident.of_files + self.beside.load(Ordering::Relaxed));
            let heap = self.heap(resident);
            let unused = anonymous.saturating_sub(heap);
            if unused < limits::MEMORY_RETAINED.max(heap / 8) {
                continue;
            }
            sys::memory::trim();
            // Pieces that are in use hold whole pages: then trying again at once would only take locks.
            let left = self.resident().map_or(0, |resident| resident.all);
            if left + unused / 4 > resident.all {
                pause = limits::MEMORY_LOOK_HOPELESS;
            }
        }
    }

    /// The budget in words: its value and where that comes from.
    pub(crate) fn words(&self) -> String {
        format!("{} ({})", size(self.most), self.from)
    }

    /// What is wrong with the budget, as far as can be told at the start.
    pub(crate) fn misgiving(&self) -> Option<String> {
        let resident = self.resident()?.all;
        if resident >= self.most / 8 * 7 {
            return Some(format!(
                "the memory for pound is {}, and it takes {} before the first client: {} clients are served at a time, and \
                 more as long as there is room; raise MaxMemory",
                self.words(),
                size(resident),
                limits::CLIENTS_ALWAYS
            ));
        }
        let (allowed, from) = allowed()?;
        (self.most != u64::MAX && self.most > allowed).then(|| {
            format!(
                "MaxMemory is {}, and {from} allows {}: the kernel would end pound first; lower MaxMemory to three \
                 quarters of that",
                size(self.most),
                size(allowed)
            )
        })
    }
}

/// A worker's view of the budget.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    /// None in tests of parts: then there is no end to memory.
    budget: Option<Arc<Budget>>,
    step: u64,
    /// Bytes taken from the allocator since the last look.
    grown: Cell<u64>,
}

impl Gauge {
    pub(crate) fn new(budget: Arc<Budget>) -> Gauge {
        Gauge { step: budget.step(), budget: Some(budget), grown: Cell::new(0) }
    }

    /// Counts bytes that are about to be taken from the allocator.
    pub(crate) fn grow(&self, bytes: usize) {
        let grown = self.grown.get() + bytes as u64;
        self.grown.set(grown);
        if grown >= self.step
            && let Some(budget) = &self.budget
        {
            self.grown.set(0);
            budget.measure();
        }
    }

    /// How near the end is.
    pub(crate) fn strain(&self) -> Strain {
        self.budget.as_ref().map_or(Strain::Easy, |budget| budget.strain())
    }

    /// Looks now.
    pub(crate) fn measure(&self) -> Strain {
        self.budget.as_ref().map_or(Strain::Easy, |budget| budget.measure())
    }

    /// The budget in words.
    pub(crate) fn words(&self) -> String {
        self.budget.as_ref().map(|budget| budget.words()).unwrap_or_default()
    }
}

/// What the system lets this process have, and who says so.
fn allowed() -> Option<(u64, &'static str)> {
    let physical = physical().map(|bytes| (bytes, "the memory of this machine"));
    let group = group_limit().map(|bytes| (bytes, "the cgroup"));
    let data = getrlimit(Resource::Data).current.map(|bytes| (bytes, "the limit of data (ulimit -d)"));
    let space = getrlimit(Resource::As).current.map(|bytes| (bytes, "the limit of addresses (ulimit -v)"));
    [group, data, space, physical].into_iter().flatten().min_by_key(|(bytes, _)| *bytes)
}

fn physical() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The least limit of the control groups that this process is in, of either version (cgroups(7)).
fn group_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    group_folders(&groups, &mounts)
        .iter()
        .flat_map(|(folder, root, file)| {
            let own = folder.ancestors().take_while(move |above| above.starts_with(root));
            own.filter_map(move |folder| {
                std::fs::read_to_string(folder.join(file)).ok()?.trim().parse::<u64>().ok()
            })
        })
        // Version 1 says "none" by the largest number of whole pages.
        .filter(|limit| *limit < 1 << 60)
        .min()
}

/// The folders of the groups that this process is in, where they are mounted, and the file with their limit.
fn group_folders(groups: &str, mounts: &str) -> Vec<(PathBuf, PathBuf, &'static str)> {
    let of_version = |version_2: bool| {
        groups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            let is_it = if version_2 {
                controllers.is_empty()
            } else {
                controllers.split(',').any(|name| name == "memory")
            };
            is_it.then_some(path)
        })
    };
    let mounted = |line: &str| {
        // proc_pid_mountinfo(5): `id parent device root mount-point options … - type source options`.
        let (place, kind) = line.split_once(" - ")?;
        let (root, point) = {
            let mut words = place.split(' ').skip(3);
            (words.next()?, words.next()?)
        };
        let (version_2, file) = match kind.split_once(' ')? {
            ("cgroup2", _) => (true, "memory.max"),
            ("cgroup", rest) if rest.split([' ', ',']).any(|word| word == "memory") => {
                (false, "memory.limit_in_bytes")
            }
            _ => return None,
        };
        // A container may see a part of the tree only, and be told the path from outside.
        let own = Path::new(of_version(version_2)?);
        let inside = own.strip_prefix(root).unwrap_or(Path::new(""));
        Some((Path::new(point).join(inside), PathBuf::from(point), file))
    };
    mounts.lines().filter_map(mounted).collect()
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        u64::MAX => "without limit".into(),
        bytes if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        bytes => format!("{} KiB", bytes >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(most: u64, open: usize) -> Budget {
        let seats = Arc::new(Seats::default());
        for _ in 0..open {
            std::mem::forget(Seats::take(&seats, 0).unwrap());
        }
        let budget = Budget::new(Some(most), seats);
        budget.watch();
        budget
    }

    #[test]
    fn strain_follows_what_is_taken() {
        let taken = budget(u64::MAX, 0).resident().unwrap();
        assert!(taken.all > taken.of_files && taken.of_files > 0);
        assert_eq!(budget(u64::MAX, 100).measure(), Strain::Easy);
        assert_eq!(budget(taken.all / 2, 100).measure(), Strain::Full);
        assert_eq!(budget(taken.all / 2, limits::CLIENTS_ALWAYS).measure(), Strain::Easy);
        let held = vec![1u8; 64 << 20];
        let tight = budget((taken.all + (64 << 20)) / 10 * 11, 100).measure();
        assert!(tight >= Strain::Tight, "{tight:?}");
        drop(held);
    }

    #[test]
    fn growth_is_noticed_within_a_step() {
        let budget = Arc::new(budget(1 << 20, 100));
        let gauge = Gauge::new(budget.clone());
        assert_eq!(gauge.strain(), Strain::Easy);
        for _ in 0..limits::MEMORY_STEP_MIN / 1024 {
            gauge.grow(1024);
        }
        assert_eq!(gauge.strain(), Strain::Full);
    }

    #[test]
    fn control_groups_of_both_versions_are_found() {
        let check = |groups, mounts, expect: &[(&str, &str, &'static str)]| {
            let expect: Vec<_> =
                expect.iter().map(|(own, root, file)| (own.into(), root.into(), *file)).collect();
            assert_eq!(group_folders(groups, mounts), expect);
        };
        check(
            "0::/system.slice/pound.service\n",
            "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
            &[("/sys/fs/cgroup/system.slice/pound.service", "/sys/fs/cgroup", "memory.max")],
        );
        check(
            "9:cpu,cpuacct:/x\n4:memory:/box/1/inner\n0::/\n",
            "40 39 0:30 /box/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n41 39 0:31 / /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n",
            &[("/sys/fs/cgroup/memory/inner", "/sys/fs/cgroup/memory", "memory.limit_in_bytes")],
        );
        check(
            "4:memory:/docker/abc\n",
            "40 39 0:30 /elsewhere /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
            &[("/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes")],
        );
        check("0::/\n", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", &[]);
    }

    #[test]
    fn a_machine_has_memory() {
        let (bytes, from) = allowed().unwrap();
        assert!(bytes > 1 << 20, "{bytes} {from}");
    }
}
