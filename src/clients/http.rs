//! What all HTTP clients have in common: their cryptography, no redirects, and errors in words without addresses.

use std::{error::Error, time::Duration};

use reqwest::{Client, ClientBuilder, redirect::Policy};
use rustls::crypto::ring;

/// A client in the making. Who answers a redirect is not the service that was configured: none is followed.
pub fn builder(timeout: Duration) -> ClientBuilder {
    // The HTTP library brings no cryptography of its own. Refused where the process has one, and that one serves as well.
    drop(ring::default_provider().install_default());
    Client::builder()
        .user_agent(concat!("weighbridge/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .timeout(timeout)
        .connect_timeout(timeout)
}

/// An error and its causes. Addresses are left out, for they may hold what is not to be read.
pub fn words(error: &reqwest::Error) -> String {
    let mut words = if error.is_timeout() {
        "no answer in time".to_owned()
    } else if error.is_connect() {
        "no connection".to_owned()
    } else {
        "the request failed".to_owned()
    };
    let mut cause = error.source();
    while let Some(next) = cause {
        words.push_str(": ");
        words.push_str(&next.to_string());
        cause = next.source();
    }
    words
}
