//! Indicators as values: each protocol is declared in `config/indicators`, and one engine reads them all.
//!
//! ```
//! use weighbridge_protocol::indicators::{Decoder, Options, Protocol};
//!
//! let cas = Protocol::named("cas22")?;
//! let mut decoder = Decoder::new(cas, &Options::default())?;
//! decoder.push(b"ST,GS,1\xE4,00018340 kg\r\n", &mut |decoded| {
//!     let weight = decoded.ok().and_then(|reading| reading.weight);
//!     assert_eq!(weight.as_deref(), Some("18340"));
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bits;
mod choice;
mod compile;
mod declaration;
mod decoder;
pub mod document;
mod fields;
mod json;
pub mod layout_text;
mod line;
mod modbus;
mod options;
mod poll;
mod protocol;
mod shipped;
mod words;

pub use crate::frame::{Checksum, Rejection};
pub use decoder::{Decoder, Garbled};
pub use document::DeclarationError;
pub use json::hex;
pub use layout_text::control_name;
pub use line::{Line, NoLineSetting, Parity};
pub use modbus::ReadRequest;
pub use options::{OptionError, Options, Terminator, bytes_from_hex};
pub use poll::Poll;
pub use protocol::{Protocol, UnknownProtocol};
