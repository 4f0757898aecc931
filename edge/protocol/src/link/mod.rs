//! The link between an edge and the server, `GET /api/v1/edge/link`: its messages, and an event's hash.
//!
//! - [`messages`]: what travels, as JSON text messages tagged by `type`
//! - [`event`]: what an edge keeps and sends for ever under one identity
//! - [`row`]: what an edge's file keeps of an event
//! - [`limits`]: sizes, times and close codes that both ends must agree on

pub mod event;
pub mod limits;
pub mod messages;
pub mod row;

pub use event::{Event, EventBody, EventKind, Receipt};
pub use messages::{FromEdge, FromServer};
pub use row::EventId;
