//! The interfaces of others, as a client: what is sent, and what their answers mean.
//!
//! - [`http`]: what all HTTP clients have in common
//! - [`reply`]: an answer, read no further than it must be
//! - [`token`]: an access token, kept and renewed in time
//! - [`oauth`]: access tokens by client credentials
//! - [`erp`]: the customer's ERP, in several versions behind one trait
//! - [`fcm`]: push notifications
//! - [`sms`]: text messages, and Kakao messages where the service carries them
//! - [`email`]: the mail server

pub mod email;
pub mod erp;
pub mod fcm;
pub mod http;
pub mod oauth;
pub mod reply;
pub mod sms;
pub mod token;
