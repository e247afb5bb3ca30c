//! HTTP/1.0 and HTTP/1.1 as bytes.
//!
//! A connection's bytes pass through here in this order, and each arrow is one call by the owner of the socket:
//!
//! ```text
//!   bytes ──HeadScanner::scan──▶ head length ──parse::request──▶ RequestHead ──check──▶ trusted shape
//!                                                                    │
//!                                     framing::request ◀─────────────┘
//!                                            │ BodyLength
//!             ┌──────────────────────────────┴───────────────────────────┐
//!             ▼                                                          ▼
//!   body::Decoder (what comes in)  ──Data{skip,len,chunk_left}──▶  body::Encoder (what goes out)
//!                                                                        ▲
//!                                    write::request_head, response_head ─┘ re-computed framing
//! ```
//!
//! Nothing here reads a socket or a clock, and nothing keeps body bytes. An error in any of these steps means that the
//! two ends of the connection may disagree about where messages begin; no further byte of it may be parsed.

pub mod body;
pub mod error;
pub mod framing;
pub mod limits;
pub mod parse;
pub mod scan;
mod tolerance;
pub mod write;
