//! What tests stand on.
//!
//! - [`cab`]: a driver's app
//! - [`corrections`]: weighings that staff correct
//! - [`database`]: a database of its own for each test
//! - [`folder`]: a folder of its own, which others may enter
//! - [`line`]: a waiting line, changed from two nodes
//! - [`link`]: an edge's end of the link to that server
//! - [`node`]: a server as a process of its own
//! - [`owed`]: slips that are owed to an ERP
//! - [`retries`]: what failed and waits to be tried again
//! - [`screen`]: a dashboard
//! - [`server`]: a whole server, and a client that speaks to it
//! - [`site`]: stations, trucks and drivers on that server
//! - [`stand_in`]: the services of others
//! - [`tls`]: TLS before one of them
//! - [`yard`]: edges, trucks and their events, as the database is asked of them

pub mod cab;
pub mod corrections;
pub mod database;
pub mod folder;
pub mod line;
pub mod link;
pub mod node;
pub mod owed;
pub mod retries;
pub mod screen;
pub mod server;
pub mod site;
pub mod stand_in;
pub mod tls;
pub mod yard;
