//! Actors panic, freeze, fail and are restarted while trucks are weighed, and nothing that was acknowledged is lost or
//! doubled.
//!
//! Against the server's own binary, compiled with the feature `chaos`:
//!
//! - [`process`]: the server as a process, and what it tells about itself
//! - [`edge`]: an edge with its events, as the server sees one
//! - [`traffic`]: trucks that check in, obey their calls and are weighed, and dashboards that watch
//! - [`yard`]: all of that together, and the reckoning at the end

mod administrating;
mod edge;
mod failing;
mod freezing;
mod panicking;
mod process;
mod restarting;
mod stopping;
mod traffic;
mod yard;
