//! Stand-ins for what surrounds an edge, and the edge as a process.
//!
//! - [`deck`]: a scale's deck and its indicator, on a pty
//! - [`edge`]: the program, started, asked and killed
//! - [`server`]: a server that speaks the link and keeps events in memory
//! - [`line`]: an indicator that hears at which speed it is listened to
//! - [`board`]: a display board
//! - [`disk`]: a small disk that fills
//! - [`authority`]: the certificates of a site with TLS

pub mod authority;
pub mod board;
pub mod deck;
pub mod disk;
pub mod edge;
pub mod line;
pub mod server;

use std::time::{Duration, Instant};

pub use board::Board;
pub use deck::Deck;
pub use edge::Site;
pub use server::Server;

/// How long anything may take that should happen soon.
pub const SOON: Duration = Duration::from_secs(10);

/// Waits until `look` finds something.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < SOON, "{what}: not within {SOON:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
