//! The link between an edge and the server, `GET /api/v1/edge/link`: its messages, and an event's hash.
//!
//! - [`messages`]: what travels, as JSON text messages tagged by `type`
//! - [`event`]: what an edge keeps and sends for ever under one identity
//! - [`receipt`]: what an edge is told of a weighing
//! - [`curve`]: how the weight settled, by differences
//! - [`draft`]: an event that has no identity yet, and how it gets one
//! - [`row`]: what an edge's file keeps of an event
//! - [`store`]: what the sending side needs of that file; [`MemoryStore`] keeps one in memory
//! - [`sender`]: the edge's side of the link
//! - [`acks`]: acknowledgements that are written down together
//! - [`salvage`]: what a file that was damaged still knows of its epochs
//! - [`reconnect`]: how long an edge waits before it connects again
//! - [`limits`]: sizes, times and close codes that both ends must agree on

pub mod acks;
pub mod curve;
pub mod draft;
pub mod event;
pub mod limits;
pub mod memory_store;
pub mod messages;
mod rebirth;
pub mod receipt;
pub mod reconnect;
pub mod row;
pub mod salvage;
pub mod sender;
pub mod store;

pub use draft::{Committed, Draft};
pub use event::{Event, EventBody, EventKind};
pub use memory_store::MemoryStore;
pub use messages::{FromEdge, FromServer};
pub use receipt::{Receipt, WhichPass};
pub use row::EventId;
pub use sender::{Output, Sender};
pub use store::Store;
