//! Stand-ins for the services of others, each a process of its own: they speak the true wire format, refuse what the real
//! one would refuse, write down everything that comes, and fail when they are told to.
//!
//! - [`http`]: the server that all share which speak HTTP; a service is what implements [`http::Service`]
//! - [`trouble`]: how the next requests are to fail
//! - [`book`]: what came, and what was answered
//! - [`erp`]: a customer's ERP
//! - [`fcm`]: push notifications by FCM HTTP v1
//! - [`sms`]: text messages and 알림톡 by SOLAPI, text messages by SENS
//! - [`smtp`]: a mail server

pub mod book;
pub mod erp;
pub mod fcm;
pub mod http;
pub mod sms;
pub mod smtp;
pub mod trouble;
