//! The only place with `unsafe`: what the safe libraries do not offer. Each block argues why it is sound.
#![allow(unsafe_code)]

pub mod process;
mod socket;

pub(crate) use socket::queued;
