//! A yard to try things in, without a yard: trucks whose weight is known, indicators on real ptys, display boards, a
//! lamp's unit, and the services of others.
//!
//! ```text
//! chance ─▶ truck ─▶ curve ─▶ indicator ─▶ encode ─▶ fault ─▶ station (9600 baud, a pty) ═══▶ the edge under test
//! (seed)            (deck)    (display)    (frame)   (line)                                         │
//!                     ▲                                                                             │
//!                     └──────────── drives off when the board says so ◀──── board (TCP) ◀═══════════┘
//! ```
//! Beside it: [`stand_in`] (ERP, FCM, SMS, mail), [`lamp`], [`traffic`] (drivers, staff, office, phones), [`truth`] (what must
//! be so), [`run`] (a whole yard on one machine), [`day`] (a working day in minutes), [`control`] (faults on command).
//!
//! Everything up to the bytes is a pure function of the seed and of time.

pub mod board;
pub mod chance;
pub mod control;
pub mod curve;
pub mod day;
pub mod encode;
mod error;
pub mod fault;
pub mod http;
pub mod indicator;
pub mod lamp;
pub mod load;
pub mod run;
#[cfg(test)]
mod scratch;
pub mod screen;
pub mod server;
pub mod setup;
pub mod site;
pub mod stand_in;
pub mod station;
pub mod terminal;
pub mod traffic;
pub mod truck;
pub mod truth;
pub mod yard;

#[cfg(test)]
mod whole_chain;

pub use error::SimError;
