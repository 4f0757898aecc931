//! The way to the server: a socket with a small send buffer, TLS where the URL says so, and the upgrade.

use std::{sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use secrecy::ExposeSecret;
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    time::timeout,
};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config,
    tungstenite::{
        self,
        client::IntoClientRequest,
        http::{HeaderValue, StatusCode},
        protocol::WebSocketConfig,
    },
};

use crate::config::Server;

/// From the look-up of the name to the answer to the upgrade.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// What may lie in the kernel unsent: more would make live weights old on a slow line.
const SEND_BUFFER: u32 = 16 * 1024;
const LARGEST_MESSAGE: usize = 1024 * 1024;

/// An open websocket to the server.
pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The key is wrong, or not good for where this edge calls from, and stays so until somebody mends it. The server
    /// tells no stranger which.
    #[error(
        "the server refuses this API key (401); correct server.api_key, or have an administrator make a new key \
         (POST /api/v1/edges/{{id}}/rotate-key) or add this edge's address to the edge's allowed_addresses"
    )]
    Refused,
    #[error("the server answers {0}, expected a websocket at server.url")]
    NoWebSocket(StatusCode),
    #[error("{file}: {reason}")]
    Certificate { file: String, reason: String },
    #[error("no answer within {CONNECT_WITHIN:?}")]
    TimedOut,
    #[error("{0}")]
    Network(String),
}

/// Connects and upgrades; the key goes along as `X-API-Key`.
pub(super) async fn connect(server: &Server) -> Result<Socket, ConnectError> {
    timeout(CONNECT_WITHIN, upgraded(server))
        .await
        .unwrap_or(Err(ConnectError::TimedOut))
}

async fn upgraded(server: &Server) -> Result<Socket, ConnectError> {
    let network = |error: tungstenite::Error| ConnectError::Network(error.to_string());
    let mut request = server.url.as_str().into_client_request().map_err(network)?;
    let key = HeaderValue::from_str(server.api_key.expose_secret());
    let mut key = key.map_err(|_| ConnectError::Network("the API key is no header".to_owned()))?;
    key.set_sensitive(true);
    request.headers_mut().insert("X-API-Key", key);
    let connector = if server.url.secure {
        Connector::Rustls(Arc::new(tls(server)?))
    } else {
        Connector::Plain
    };
    let limits = WebSocketConfig::default()
        .max_message_size(Some(LARGEST_MESSAGE))
        .max_frame_size(Some(LARGEST_MESSAGE));
    let stream = stream(server)
        .await
        .map_err(|error| ConnectError::Network(error.to_string()))?;
    match client_async_tls_with_config(request, stream, Some(limits), Some(connector)).await {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(answer)) if answer.status() == StatusCode::UNAUTHORIZED => {
            Err(ConnectError::Refused)
        }
        Err(tungstenite::Error::Http(answer)) => Err(ConnectError::NoWebSocket(answer.status())),
        Err(error) => Err(network(error)),
    }
}

/// A connection to the first of the host's addresses that takes one.
async fn stream(server: &Server) -> std::io::Result<TcpStream> {
    let mut last = std::io::ErrorKind::NotFound.into();
    for address in lookup_host(server.url.at.to_string()).await? {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.set_send_buffer_size(SEND_BUFFER)?;
        match socket.connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Trusts the configured authority alone, where one is configured, and the public ones else.
fn tls(server: &Server) -> Result<ClientConfig, ConnectError> {
    let mut roots = RootCertStore::empty();
    match &server.ca_file {
        Some(file) => {
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unusable(file, &error))? {
                let certificate = certificate.map_err(|error| unusable(file, &error))?;
                roots.add(certificate).map_err(|error| unusable(file, &error))?;
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder
        .map_err(|error| ConnectError::Network(error.to_string()))?
        .with_root_certificates(roots);
    let Some((certificate, key)) = &server.client else {
        return Ok(builder.with_no_client_auth());
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect);
    let chain = chain.map_err(|error| unusable(certificate, &error))?;
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
    builder
        .with_client_auth_cert(chain, key_der)
        .map_err(|error| unusable(certificate, &error))
}

fn unusable(file: &std::path::Path, error: &dyn std::fmt::Display) -> ConnectError {
    ConnectError::Certificate {
        file: file.display().to_string(),
        reason: error.to_string(),
    }
}
