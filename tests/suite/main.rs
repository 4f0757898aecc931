//! One binary of integration tests, a file a capability.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod acknowledging_events;
mod architecture;
#[cfg(feature = "chaos")]
mod breaking_actors;
mod calling_quickly;
mod calling_trucks;
mod correcting_records;
mod deciding_on_captures;
mod delivering;
mod describing_the_api;
mod driving_with_the_app;
mod ending_calls;
mod feeding_by_http;
mod finding_records;
mod greeting_anew;
mod keeping_invariants;
mod linking_edges;
mod managing_master_data;
mod migrating;
mod moving_the_line;
mod owning_a_postgresql;
mod partitioning_records;
mod racing_for_the_line;
mod racing_with_staff;
mod reaching_a_remote_database;
mod reaching_people;
mod reaching_phones;
mod refusing_bad_requests;
mod remembering_the_deck;
mod running_queries;
mod signing_in;
mod starting_and_stopping;
mod storing_events;
mod support;
mod syncing_erp;
mod watching_live;
mod weighing_the_wrong_truck;
