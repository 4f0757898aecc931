//! The server's own rules: the very files of `src/domain`, compiled here once more, optimised and without the server.

#[path = "../../../src/domain/edge_time/mod.rs"]
pub mod edge_time;
#[path = "../../../src/domain/feed/mod.rs"]
pub mod feed;
#[path = "../../../src/domain/intake/mod.rs"]
pub mod intake;
#[path = "../../../src/domain/outbox.rs"]
pub mod outbox;
#[path = "../../../src/domain/overload.rs"]
pub mod overload;
#[path = "../../../src/domain/slip.rs"]
pub mod slip;
#[path = "../../../src/domain/weighing/mod.rs"]
pub mod weighing;
