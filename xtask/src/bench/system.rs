//! What the kernel tells: processor time and memory of processes, how busy the machine is.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use crate::Failure;

/// The unit of times in `/proc`, on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// A process and everything that it started.
pub(super) fn family(roots: &[u32]) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse::<u32>().ok()) {
            parents.push((pid, parent));
        }
    }
    let mut family: BTreeSet<u32> = roots.iter().copied().collect();
    loop {
        let before = family.len();
        for (pid, parent) in &parents {
            if family.contains(parent) {
                family.insert(*pid);
            }
        }
        if family.len() == before {
            return family.into_iter().collect();
        }
    }
}

/// The fields of `/proc/PID/stat` from the third (the state) on.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may hold anything.
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split(' ').map(str::to_owned).collect())
}

/// The processor time of processes, user and system, in nanoseconds: of all their threads that live.
/// The scheduler counts it exactly; where it does not tell, the ticks of `/proc/PID/stat` are taken.
pub(super) fn processor_ns(pids: &[u32]) -> u64 {
    pids.iter().map(|pid| scheduled_ns(*pid).unwrap_or_else(|| ticks(*pid, 11..13))).sum()
}

fn scheduled_ns(pid: u32) -> Option<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        sum += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(sum)
}

/// The sum of some fields of `/proc/PID/stat` (0 is the state), which count ticks, in nanoseconds.
fn ticks(pid: u32, fields: std::ops::Range<usize>) -> u64 {
    let Some(all) = stat(pid) else { return 0 };
    let ticks: u64 =
        all.get(fields).into_iter().flatten().filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks * TICK.as_nanos() as u64
}

/// The processor time of this process and of the children that it has waited for, in nanoseconds.
pub(super) fn own_ns() -> u64 {
    ticks(std::process::id(), 11..15)
}

/// Resident memory of processes in KiB, pages that several share counted in parts (`Pss`).
pub(super) fn resident_kib(pids: &[u32]) -> u64 {
    let of = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()
    };
    pids.iter().filter_map(of).sum()
}

/// How long all processors together were busy since the machine started, in nanoseconds.
pub(super) fn busy_ns() -> Result<u64, Failure> {
    let text =
        fs::read_to_string("/proc/stat").map_err(|error| Failure::new(format!("/proc/stat: {error}")))?;
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let busy = |index: usize| fields.get(index).copied().unwrap_or(0);
    Ok((busy(0) + busy(1) + busy(2) + busy(5) + busy(6) + busy(7)) * TICK.as_nanos() as u64)
}

/// The processors that this process may use.
pub(super) fn processors() -> Vec<u32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0").trim();
    let mut processors = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            processors.extend(first..=last);
        }
    }
    processors
}

/// How many descriptors a process may have at most; nothing if there is no limit.
pub(super) fn descriptors_max() -> Option<u32> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_whitespace().nth(4)?.parse().ok()
}

/// The machine in one line.
pub(super) fn machine() -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(": "))
        .map_or("unknown processor", |(_, model)| model.trim());
    let kernel = read("/proc/sys/kernel/osrelease");
    let memory = read("/proc/meminfo");
    let gib = memory
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .map_or(0, |kib| kib.div_ceil(1 << 20));
    let virtual_machine = if cpu.contains("hypervisor") { ", a virtual machine" } else { "" };
    format!(
        "{} cores of {model}{virtual_machine}, {gib} GiB, Linux {}",
        processors().len(),
        kernel.trim().split('-').next().unwrap_or_default()
    )
}

/// How many processors the machine runs on, whether we may use them or not.
pub(super) fn online() -> Result<usize, Failure> {
    let text =
        fs::read_to_string("/proc/stat").map_err(|error| Failure::new(format!("/proc/stat: {error}")))?;
    Ok(text.lines().filter(|line| line.starts_with("cpu")).count().saturating_sub(1).max(1))
}
