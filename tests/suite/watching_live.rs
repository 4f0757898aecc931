//! Dashboards and drivers watch the live stream over real sockets.

mod admission;
mod client;
mod conversation;
mod falls;
mod protocol;
mod server;
mod slow_readers;
mod topics;
mod upgrading;

use client::Client;
use server::Server;
