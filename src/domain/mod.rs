//! The rules, without actor, SQL, HTTP or clock: values come in, values go out, time is an argument.
//!
//! - [`board_text`]: what a display board and a lamp show of a station
//! - [`business_number`]: Korean business registration numbers
//! - [`call_news`]: what a driver's phone is told of his call
//! - [`day_close`]: a day's totals for the ERP
//! - [`delivery`]: how what is owed reaches others
//! - [`edge_key`]: the keys by which gateways prove themselves
//! - [`edge_time`]: when an edge's event took place
//! - [`feed`]: readings that a gateway posts one by one
//! - [`intake`]: what the server makes of an event's identity: stored, duplicate, conflict or gap
//! - [`mac`]: how a text is signed with a secret
//! - [`mail_address`]: mail addresses
//! - [`outbox`]: what must reach others
//! - [`overload`]: whether a load is legal
//! - [`password`]: which passwords are good enough
//! - [`phone`]: Korean telephone numbers
//! - [`phone_vault`]: how phone numbers are encrypted and found again
//! - [`plate`]: Korean number plates
//! - [`push`]: what a driver's phone is pushed
//! - [`role`]: what a user may do
//! - [`sealed`]: what of a message must not be read where it rests
//! - [`shared_key`]: whether two gateways have one key
//! - [`slip`]: slip numbers and the local day
//! - [`text`]: names and notes that people type, logins
//! - [`wait_line`]: the order of a waiting line
//! - [`wait_time`]: how long those who wait will wait yet
//! - [`weighing`]: what an event does to calls, records and captures
//! - [`wording`]: the words that people read

pub mod board_text;
pub mod business_number;
pub mod call_news;
pub mod capture_wishes;
pub mod day_close;
pub mod delivery;
pub mod edge_key;
pub mod edge_time;
pub mod feed;
pub mod intake;
pub mod mac;
pub mod mail_address;
pub mod outbox;
pub mod overload;
pub mod password;
pub mod phone;
pub mod phone_vault;
pub mod plate;
pub mod push;
pub mod role;
pub mod sealed;
pub mod shared_key;
pub mod slip;
pub mod text;
pub mod wait_line;
pub mod wait_time;
pub mod weighing;
pub mod wording;
