//! What the reader of keys keeps of root's rights: to read the files that it is for.
//!
//! The kernel takes each right away in a way of its own, and every one of them holds if another does not: capabilities
//! (capabilities(7)), the user, what may be opened (landlock(7)), limits (setrlimit(2)).

use std::io;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope, path_beneath_rules,
};
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, setegid, seteuid, setgroups, setresgid, setresuid};
use rustix::process::Pid;
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits,
    set_keep_capabilities,
};

/// The only right that is kept: to read what is another's.
const KEPT: CapabilitySet = CapabilitySet::DAC_READ_SEARCH;

/// Who owns nothing: the kernel's overflow user and group, `nobody` and `nogroup` on most systems.
const NOBODY: u32 = 65534;

/// The newest rules of Landlock that are known here; older kernels apply those of them that they know.
const RULES: ABI = ABI::V6;

/// Gives everything up that is not needed to read files below `folders`. `readable` counts those that can be read now.
///
/// # Errors
/// Capabilities are still there. What else this system does not know is left out.
pub(crate) fn confine(folders: &[PathBuf], readable: impl Fn() -> usize) -> io::Result<()> {
    // What is left behind by a crash would be keys; and nothing is ever written or started here.
    for resource in [Resource::RLIMIT_CORE, Resource::RLIMIT_NPROC, Resource::RLIMIT_FSIZE] {
        let _ = setrlimit(resource, 0, 0);
    }
    let kept = capabilities(None)?.permitted & KEPT;
    lock();
    if !kept.is_empty() && Uid::effective().is_root() {
        leave_root(kept, readable);
    }
    only(kept)?;
    allow_only(folders);
    Ok(())
}

/// Sees to it that nothing brings a right back: no file that is executed, no change of the user, no ambient set.
fn lock() {
    let _ = clear_ambient_capability_set();
    for capability in CapabilitySet::all().iter() {
        // One that the kernel does not know is not there, and without CAP_SETPCAP there was little to begin with.
        let _ = remove_capability_from_bounding_set(capability);
    }
    // Without CAP_SETPCAP there is nothing to lock.
    let _ = set_capabilities_secure_bits(
        CapabilitiesSecureBits::NO_ROOT
            | CapabilitiesSecureBits::NO_ROOT_LOCKED
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED,
    );
}

/// Becomes a user who owns nothing: as root, even without any capability, a process owns the files of root. Some file
/// systems (NFS, those of FUSE) do not know capabilities and ask who reads; with keys on such a one it stays root.
fn leave_root(kept: CapabilitySet, readable: impl Fn() -> usize) {
    let (user, group, root) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY), Uid::from_raw(0));
    let before = readable();
    let root_group = Gid::effective();
    // A user namespace may not know that user, and a container not allow the change.
    if setgroups(&[]).is_err() || setegid(group).is_err() {
        return;
    }
    let tried = seteuid(user).is_ok() && raise(kept).is_ok() && readable() >= before;
    let _ = seteuid(root);
    if !tried {
        let _ = setegid(root_group);
        return;
    }
    let _ = set_keep_capabilities(true);
    let _ = setresgid(group, group, group);
    let _ = setresuid(user, user, user);
}

/// Makes a capability that is permitted effective: a change of the user has switched all of them off.
fn raise(kept: CapabilitySet) -> io::Result<()> {
    let now = capabilities(None)?;
    Ok(set_capabilities(None::<Pid>, CapabilitySets { effective: kept, ..now })?)
}

/// Keeps these capabilities and no other.
fn only(kept: CapabilitySet) -> io::Result<()> {
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None::<Pid>, CapabilitySets { effective: kept, permitted: kept, inheritable: none })?)
}

/// From here on only files below `folders` can be opened, to be read, and no socket connects anywhere. A kernel without
/// Landlock allows what it did.
fn allow_only(folders: &[PathBuf]) {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let _ = Ruleset::default()
        .handle_access(AccessFs::from_all(RULES))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(RULES)))
        .and_then(|rules| rules.scope(Scope::from_all(RULES)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(path_beneath_rules(folders, read)))
        .and_then(landlock::RulesetCreated::restrict_self);
}
