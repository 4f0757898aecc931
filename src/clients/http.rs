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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::clients::reply;

    /// Answers one request with this, and keeps the connection.
    async fn answering(answer: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let asked = stream.read(&mut [0; 4096]).await.unwrap();
            assert!(asked > 0);
            stream.write_all(&answer).await.unwrap();
            std::future::pending::<()>().await;
        });
        url
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_leads_nowhere() {
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let location = elsewhere.local_addr().unwrap();
        let found = format!("HTTP/1.1 307 Found\r\nlocation: http://{location}/\r\ncontent-length: 0\r\n\r\n");
        let url = answering(found.into_bytes()).await;
        let client = builder(Duration::from_secs(5)).build().unwrap();
        let asking = reply::send(client.post(url).body("secret"));
        tokio::select! {
            reply = asking => assert_eq!(reply.unwrap().status, 307),
            _ = elsewhere.accept() => panic!("the redirect was followed"),
        }
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_read_up_to_a_mebibyte() {
        let mut endless = b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n".to_vec();
        endless.resize(endless.len() + (1 << 20) + 1, b' ');
        let url = answering(endless).await;
        let client = builder(Duration::from_secs(30)).build().unwrap();
        let reading = tokio::time::timeout(Duration::from_secs(20), reply::send(client.get(url))).await;
        let why = reading.expect("it waits for more").unwrap_err().to_string();
        assert_eq!(why, "an answer of more than 1048576 bytes");
    }
}
