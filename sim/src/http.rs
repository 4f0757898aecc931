//! HTTP clients of the yard and of those who test or measure with it.

use reqwest::{Client, ClientBuilder};
use rustls::crypto::ring;

/// A client in the making. The HTTP library brings no cryptography of its own, so the process is given one first.
pub fn client() -> ClientBuilder {
    // Refused where there is one already, and that one serves as well.
    drop(ring::default_provider().install_default());
    Client::builder()
}
