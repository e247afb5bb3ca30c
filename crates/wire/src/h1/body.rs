//! Bodies: what comes in is taken apart by [`Decoder`], what goes out is framed by [`Encoder`].
//!
//! Neither holds a byte of body data. The decoder says which bytes at the front of the input are framing and how many
//! after them are data; the caller moves the data wherever it goes. The encoder says what to write before and after it.
//! Between them stand only lengths, so a relay can pass buffers on without copying.

mod chunk;
mod decode;
mod encode;
mod trailer;

pub use decode::{Decoded, Decoder};
pub use encode::{ChunkPrefix, Encoder, Framed};

#[cfg(test)]
mod tests;
