//! Descriptors: those we were started with, and how many we may open.

use std::os::fd::RawFd;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors above standard error that were open when the process began.
///
/// To be called before anything is opened: what is in this list belongs to nobody in this program.
pub(crate) fn inherited() -> Vec<RawFd> {
    let Ok(folder) = std::fs::read_dir("/proc/self/fd") else { return Vec::new() };
    let numbers = folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<RawFd>().ok());
    let open: Vec<RawFd> = numbers.filter(|number| *number > 2).collect();
    // The folder itself was open while it was read and is closed now; what the close-on-exec flag cannot be read of is
    // not open any more.
    open.into_iter()
        .filter(|number| std::path::Path::new(&format!("/proc/self/fd/{number}")).exists())
        .collect()
}

/// Closes them, as a daemon does: a pipe of the caller's shell would otherwise stay open as long as we run.
pub(crate) fn close(inherited: &[RawFd]) {
    for number in inherited {
        // It may be closed already; there is nothing else to be done about it.
        let _ = nix::unistd::close(*number);
    }
}

/// Closes all descriptors above standard error but this one. Nothing that owns one may be used or dropped afterwards.
///
/// # Errors
/// It cannot be told which are open: then some still are.
pub(crate) fn close_all_but(kept: RawFd) -> std::io::Result<()> {
    if engine::sys::process::close_all_but(kept).is_ok() {
        return Ok(());
    }
    // An old kernel, or a filter of system calls that does not know the call.
    std::fs::read_dir("/proc/self/fd")?;
    let mut open = inherited();
    open.retain(|number| *number != kept);
    close(&open);
    Ok(())
}

/// Lets this process open as many descriptors as it may: each client and each back-end connection takes one.
pub(crate) fn raise_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        // A refusal leaves what there was, which the engine copes with by pausing to accept.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Forbids core files: the memory of a proxy holds other people's requests.
pub(crate) fn no_core_files() {
    // Lowering a limit of one's own cannot be refused.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    /// In a process of its own, since the others that run here would lose theirs.
    #[test]
    fn all_descriptors_but_one_are_closed() {
        const CHILD: &str = "POUND_TEST_CLOSES_DESCRIPTORS";
        if std::env::var_os(CHILD).is_some() {
            let files: Vec<_> = (0..5).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
            let kept = files[2].as_raw_fd();
            std::mem::forget(files);
            close_all_but(kept).unwrap();
            let good = inherited() == [kept];
            std::process::exit(if good { 99 } else { 1 });
        }
        let test = "process::descriptors::tests::all_descriptors_but_one_are_closed";
        let mut own = std::process::Command::new(std::env::current_exe().unwrap());
        let child = own.args(["--exact", test, "--test-threads=1"]).env(CHILD, "1").output().unwrap();
        assert_eq!(child.status.code(), Some(99), "{child:?}");
    }

    #[test]
    fn a_descriptor_that_is_open_is_listed_and_standard_ones_are_not() {
        let file = std::fs::File::open("/dev/null").unwrap();
        let open = inherited();
        assert!(open.contains(&file.as_raw_fd()));
        assert!(open.iter().all(|number| *number > 2));
    }
}
