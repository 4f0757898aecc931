//! Sizes, times and close codes that both ends of the link must agree on.

use std::time::Duration;

/// The link's version, in `hello`. Another one is closed with [`CLOSE_VERSION`].
pub const PROTOCOL: u32 = 1;
/// The largest event body, in bytes of its JSON text; a curve that would exceed it is thinned before.
pub const MOST_BODY_BYTES: usize = 32 * 1024;
/// The most points of a curve; a longer one is thinned.
pub const MOST_CURVE_POINTS: usize = 600;
/// Unacknowledged events and bytes that a server allows unless its `welcome` says otherwise.
pub const WINDOW_EVENTS: usize = 64;
pub const WINDOW_BYTES: usize = 256 * 1024;
/// The server pings this often; either side takes the other for dead after [`DEAD_AFTER`] of silence.
pub const PING_EVERY: Duration = Duration::from_secs(5);
pub const DEAD_AFTER: Duration = Duration::from_secs(15);
/// Reconnection waits a random time up to a bound that doubles from the first to the last of these.
pub const RECONNECT_FIRST: Duration = Duration::from_millis(500);
pub const RECONNECT_LAST: Duration = Duration::from_secs(30);
/// An edge that was fenced (4409) stays away this long, give or take a third.
pub const FENCED_WAIT: Duration = Duration::from_secs(30);

pub const CLOSE_RESTART: u16 = 1012;
pub const CLOSE_MALFORMED: u16 = 4400;
pub const CLOSE_FORBIDDEN: u16 = 4403;
pub const CLOSE_FENCED: u16 = 4409;
pub const CLOSE_VERSION: u16 = 4426;
