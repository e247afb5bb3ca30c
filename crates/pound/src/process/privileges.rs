//! From root to the user that serves: `User`, `Group`, `RootJail`.
//!
//! Names are looked up first, while the files that know them can be seen; the change itself comes after the sockets
//! are bound. The order is forced: groups while we are root, the jail while we are root, the user last, and then a
//! proof that there is no way back.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{self, Gid, Group, Uid, User};

use crate::failure::Failure;

/// Who and where the serving process will be. Empty if the configuration asks for nothing.
#[derive(Debug)]
pub(crate) struct Identity {
    file: PathBuf,
    user: Option<Uid>,
    group: Option<Gid>,
    /// Supplementary groups; `None` leaves them, which is right only if neither user nor group changes.
    groups: Option<Vec<Gid>>,
    jail: Option<PathBuf>,
    /// The directive that the group comes from, and its word.
    group_from: (&'static str, String),
    /// The word of `User`.
    user_name: String,
}

impl Identity {
    /// Looks up what `process` names. `file` is where it came from, for the failure's sentence.
    ///
    /// `User` without `Group` takes that user's own group: C Pound stayed in root's, which is seldom what was meant.
    pub(crate) fn resolve(process: &plan::Process, file: &Path) -> Result<Identity, Failure> {
        let account = process.user.as_deref().map(|name| account(name, file)).transpose()?;
        let mut group = process.group.as_deref().map(|name| group_id(name, file)).transpose()?;
        if let Some(Account { uid, primary, .. }) = &account
            && group.is_none()
        {
            group = Some(primary.ok_or_else(|| {
                let sentence = format!("user {uid} has no account here and so no group; name one with Group");
                Failure::at(file, "User", sentence)
            })?);
        }
        let groups = group.map(|group| match account.as_ref().and_then(|account| account.name.as_ref()) {
            Some(name) => unistd::getgrouplist(name, group).unwrap_or_else(|_| vec![group]),
            None => vec![group],
        });
        if let Some(jail) = &process.root_jail
            && !may_be_directory(jail)
        {
            let sentence =
                format!("RootJail \"{}\" is not a directory; make it, or remove RootJail", jail.display());
            return Err(Failure::at(file, "RootJail", sentence));
        }
        let user = account.map(|account| account.uid);
        let word = |name: &Option<String>| name.clone().unwrap_or_default();
        Ok(Identity {
            file: file.to_owned(),
            user,
            group,
            groups,
            jail: process.root_jail.clone(),
            group_from: match &process.group {
                Some(name) => ("Group", name.clone()),
                None => ("User", word(&process.user)),
            },
            user_name: word(&process.user),
        })
    }

    /// The user that will serve, where the configuration names one that is not root.
    pub(crate) fn user(&self) -> Option<Uid> {
        self.user.filter(|user| !user.is_root())
    }

    /// Whether becoming it gives up the right to read some file.
    pub(crate) fn gives_up_sight(&self) -> bool {
        self.jail.is_some() || (self.user.is_some() || self.group.is_some()) && !self.is_already_us()
    }

    /// Becomes it, for good.
    ///
    /// # Errors
    /// One sentence. The process must not serve then: it may have become half of what was asked.
    pub(crate) fn take_on(&self) -> Result<(), Failure> {
        if let (Some(group), Some(groups)) = (self.group, &self.groups)
            && !self.is_already_us()
        {
            let (directive, name) = &self.group_from;
            unistd::setgroups(groups).map_err(|error| self.refused(directive, name, error))?;
            unistd::setgid(group).map_err(|error| self.refused(directive, name, error))?;
        }
        if let Some(jail) = &self.jail {
            unistd::chroot(jail).map_err(|error| self.refused("RootJail", jail.display(), error))?;
            unistd::chdir("/").map_err(|error| self.refused("RootJail", jail.display(), error))?;
        }
        if let Some(user) = self.user
            && !self.is_already_us()
        {
            unistd::setuid(user).map_err(|error| self.refused("User", &self.user_name, error))?;
        }
        self.prove()
    }

    /// Tries what must not work any more.
    fn prove(&self) -> Result<(), Failure> {
        let Some(user) = self.user else { return Ok(()) };
        if !user.is_root() && unistd::setuid(Uid::from_raw(0)).is_ok() {
            let sentence =
                "the rights of root could be taken back after User; pound does not serve like this";
            return Err(Failure::at(&self.file, "User", sentence));
        }
        Ok(())
    }

    /// The caller is that user and group already: nothing to change, and no right needed to.
    fn is_already_us(&self) -> bool {
        self.user.is_none_or(|user| user == unistd::getuid() && user == unistd::geteuid())
            && self.group.is_none_or(|group| group == unistd::getgid() && group == unistd::getegid())
            && !unistd::geteuid().is_root()
    }

    fn refused(&self, directive: &str, wanted: impl std::fmt::Display, error: Errno) -> Failure {
        let sentence = match error {
            Errno::EPERM => format!(
                "only root may do what {directive} asks for ({wanted}), and pound runs as user {}; start it as root, \
                 or remove {directive}",
                unistd::geteuid()
            ),
            error => format!("{directive} {wanted}: {}", error.desc()),
        };
        Failure::at(&self.file, directive, sentence)
    }
}

/// From here on no file that we might start gives us more rights than we have. To be called before there is a second thread:
/// it holds for this one, and those that it starts.
pub(crate) fn no_new_privileges() -> Result<(), Failure> {
    nix::sys::prctl::set_no_new_privs()
        .map_err(|error| Failure::new(format!("cannot give up new privileges: {}", error.desc())))
}

/// False if it surely is none. Whoever checks a file as an ordinary user may be unable to see it.
fn may_be_directory(path: &Path) -> bool {
    match path.metadata() {
        Ok(metadata) => metadata.is_dir(),
        Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
    }
}

/// Whether this process serves with root's rights.
pub(crate) fn still_root() -> bool {
    unistd::geteuid().is_root()
}

/// What is known of a user.
struct Account {
    uid: Uid,
    name: Option<CString>,
    primary: Option<Gid>,
}

/// A user by name, or by number where no user has that name.
fn account(name: &str, file: &Path) -> Result<Account, Failure> {
    let found = match User::from_name(name) {
        Ok(None) => match name.parse::<u32>() {
            Ok(number) => match User::from_uid(Uid::from_raw(number)) {
                Ok(None) => return Ok(Account { uid: Uid::from_raw(number), name: None, primary: None }),
                other => other,
            },
            Err(_) => Ok(None),
        },
        other => other,
    };
    match found {
        Ok(Some(user)) => {
            Ok(Account { uid: user.uid, name: CString::new(user.name).ok(), primary: Some(user.gid) })
        }
        Ok(None) => {
            let sentence =
                format!("there is no user \"{name}\" on this system; name another with User, or make it");
            Err(Failure::at(file, "User", sentence))
        }
        Err(error) => {
            Err(Failure::at(file, "User", format!("cannot look up user \"{name}\": {}", error.desc())))
        }
    }
}

/// A group by name, or by number where no group has that name.
fn group_id(name: &str, file: &Path) -> Result<Gid, Failure> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid),
        Ok(None) => match name.parse::<u32>() {
            Ok(number) => Ok(Gid::from_raw(number)),
            Err(_) => {
                let sentence = format!(
                    "there is no group \"{name}\" on this system; name another with Group, or make it"
                );
                Err(Failure::at(file, "Group", sentence))
            }
        },
        Err(error) => {
            Err(Failure::at(file, "Group", format!("cannot look up group \"{name}\": {}", error.desc())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::process::PidFile;
    use std::time::Duration;

    fn process(user: Option<&str>, group: Option<&str>, jail: Option<&str>) -> plan::Process {
        plan::Process {
            connections_max: None,
            memory_max: None,
            user: user.map(str::to_owned),
            group: group.map(str::to_owned),
            root_jail: jail.map(PathBuf::from),
            daemon: false,
            supervisor: false,
            pid_file: PidFile::None,
            grace: Duration::from_secs(1),
            grace_idle: Duration::ZERO,
            workers: None,
        }
    }

    fn check(process: &plan::Process, sentence: &str) {
        let failure =
            Identity::resolve(process, Path::new("/nonexistent/pound.cfg")).unwrap_err().to_string();
        assert!(failure.contains(sentence), "{failure}");
        assert!(failure.starts_with("/nonexistent/pound.cfg: "), "{failure}");
        assert!(!failure.contains('\n'), "{failure}");
    }

    #[test]
    fn what_is_not_there_is_said_in_one_sentence() {
        check(&process(Some("no-such-user"), None, None), "there is no user \"no-such-user\"");
        check(&process(None, Some("no-such-group"), None), "there is no group \"no-such-group\"");
        check(
            &process(None, None, Some("/nonexistent/jail")),
            "RootJail \"/nonexistent/jail\" is not a directory",
        );
        check(&process(Some("4294000000"), None, None), "name one with Group");
    }

    #[test]
    fn a_user_brings_its_own_group() {
        let identity = Identity::resolve(&process(Some("root"), None, None), Path::new("x")).unwrap();
        assert_eq!(identity.group, Some(Gid::from_raw(0)));
        assert!(identity.groups.unwrap().contains(&Gid::from_raw(0)));
    }

    #[test]
    fn a_refusal_names_the_directive_that_is_there() {
        let check = |user, group, expect: &str| {
            let identity = Identity::resolve(&process(user, group, None), Path::new("x")).unwrap();
            let (directive, name) = &identity.group_from;
            let sentence = identity.refused(directive, name, Errno::EPERM).to_string();
            assert!(sentence.contains(expect), "{sentence}");
        };
        check(Some("root"), None, "what User asks for (root)");
        check(Some("root"), Some("0"), "what Group asks for (0)");
    }

    #[test]
    fn numbers_need_no_account_if_both_are_given() {
        let identity =
            Identity::resolve(&process(Some("4294000000"), Some("4294000001"), None), Path::new("x"))
                .unwrap();
        assert_eq!(identity.user, Some(Uid::from_raw(4_294_000_000)));
        assert_eq!(identity.groups, Some(vec![Gid::from_raw(4_294_000_001)]));
    }
}
