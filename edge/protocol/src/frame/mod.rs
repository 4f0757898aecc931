//! Frames in a stream of bytes. A [`Plan`] is the compiled form of one declaration with one set of options; a [`Stream`]
//! finds its frames in whatever the line delivers and says of the rest why it was rejected.
//!
//! Nothing here knows a maker: layouts, meanings and checksums are values.

mod bits;
mod checksum;
mod facts;
mod layout;
mod number;
mod plan;
mod stream;

pub use checksum::{Checksum, Over};
pub use facts::{Facts, Flags, Shift};
pub use layout::{Amount, DeviceForm, Found, Layout, Op, Slot};
pub use number::{Number, NumberForm, Point, TextForm};
pub use plan::Plan;
pub use stream::{Piece, Rejection, Stream};
