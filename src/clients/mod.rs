//! The interfaces of others, as a client: what is sent, and what their answers mean.
//!
//! - [`http`]: what all HTTP clients have in common
//! - [`reply`]: an answer, read no further than it must be
//! - [`token`]: an access token, kept and renewed in time
//! - [`oauth`]: access tokens by client credentials
//! - [`erp`]: the customer's ERP, in several versions behind one trait

pub mod erp;
pub mod http;
pub mod oauth;
pub mod reply;
pub mod token;
