//! What an edge does, told by the real program on real ptys, files and sockets; one file a capability.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by a panic, in its helpers too"
)]

mod asking_over_modbus_tcp;
mod declaring_an_indicator;
mod driving_boards;
mod finding_out_an_indicator;
mod hearing_an_indicator;
mod keeping_events_on_disk;
mod losing_the_link;
mod obeying_the_server;
mod reading_its_configuration;
mod replaying_bytes;
mod showing_itself;
mod support;
mod surviving_a_kill;
mod switching_lamps;
mod watching_an_indicator;
mod weighing_a_truck;
