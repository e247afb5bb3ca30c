//! The only place with `unsafe`: what the safe libraries do not offer. Each block argues why it is sound.
#![allow(unsafe_code)]

pub(crate) mod memory;
pub mod process;
mod reactor;
pub mod signal;
mod socket;

pub(crate) use reactor::Watched;
pub(crate) use socket::queued;
