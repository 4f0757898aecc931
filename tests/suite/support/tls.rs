//! TLS before a stand-in, with its own certificate or with another's; both are vouched for by an authority that the server knows.

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustls::{ServerConfig, crypto::ring};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::folder::Folder;

/// Dropping it closes it.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    its_own: Arc<AtomicBool>,
    work: JoinHandle<()>,
    folder: Folder,
}

impl Front {
    /// Passes on to `behind` what comes; shows another's certificate at first.
    pub async fn before(behind: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (other, own) = (certified("other.example"), certified("127.0.0.1"));
        let folder = Folder::new();
        fs::write(folder.path().join("authorities.pem"), format!("{}{}", other.0, own.0)).unwrap();
        let its_own = Arc::new(AtomicBool::new(false));
        let shows = Arc::clone(&its_own);
        let work = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = if shows.load(Ordering::Relaxed) {
                    &own.1
                } else {
                    &other.1
                };
                tokio::spawn(pass_on(acceptor.clone(), stream, behind.clone()));
            }
        });
        Self {
            address,
            its_own,
            work,
            folder,
        }
    }

    pub fn shows_its_own(&self) {
        self.its_own.store(true, Ordering::Relaxed);
    }

    /// The settings of a server that speaks to it.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let authorities = self.folder.path().join("authorities.pem");
        vec![
            ("erp.base_url", format!("https://{}", self.address)),
            ("erp.token_url", format!("https://{}/oauth/token", self.address)),
            ("erp.ca_file", authorities.display().to_string()),
        ]
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.work.abort();
    }
}

/// A certificate for this name, and who shows it.
fn certified(name: &str) -> (String, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    (made.cert.pem(), TlsAcceptor::from(Arc::new(config)))
}

async fn pass_on(acceptor: TlsAcceptor, stream: TcpStream, behind: String) {
    // A client that does not like the certificate hangs up.
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let mut behind = TcpStream::connect(behind).await.unwrap();
    // Either end may go first.
    drop(copy_bidirectional(&mut stream, &mut behind).await);
}
