//! What only a process can do to itself: who it is, where it lives, what it may open, whom it tells.

pub(crate) mod background;
pub(crate) mod confine;
pub(crate) mod descriptors;
pub(crate) mod notify;
pub(crate) mod pid_file;
pub(crate) mod privileges;
pub(crate) mod ready;
pub(crate) mod signals;
pub(crate) mod socket_files;
