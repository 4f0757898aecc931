//! A front before the server that loses its acknowledgements: the events are stored, and the edge never hears of it.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, SemaphorePermit, mpsc},
    task::{JoinHandle, JoinSet},
};

/// A running front. Dropping it closes every connection.
#[derive(Debug)]
pub struct Front {
    pub address: SocketAddr,
    /// An acknowledgement was lost, and its connection cut.
    pub lost: mpsc::UnboundedReceiver<()>,
    work: JoinHandle<()>,
}

const ACK: &[u8] = br#""type":"ack""#;

impl Front {
    /// Before the server at `behind`; it loses each of the first `losses` acknowledgements.
    pub async fn before(behind: SocketAddr, losses: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, lost) = mpsc::unbounded_channel();
        let budget = Arc::new(Semaphore::new(losses));
        let work = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let (tell, budget) = (tell.clone(), Arc::clone(&budget));
                connections.spawn(async move {
                    let Ok(server) = TcpStream::connect(behind).await else {
                        return;
                    };
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    let withhold = || budget.try_acquire().map(SemaphorePermit::forget).is_ok();
                    tokio::select! {
                        () = pass(from_client, to_server, |_| false) => {}
                        () = pass(from_server, to_client, |bytes| holds_ack(bytes) && withhold()) => {
                            // Whoever waited for the news may be gone.
                            tell.send(()).unwrap_or_default();
                        }
                    }
                });
            }
        });
        Self { address, lost, work }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.work.abort();
    }
}

fn holds_ack(bytes: &[u8]) -> bool {
    bytes.windows(ACK.len()).any(|window| window == ACK)
}

/// Copies until one side closes, or `cut` says so of what came.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: impl Fn(&[u8]) -> bool) {
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        if cut(&chunk[..count]) || to.write_all(&chunk[..count]).await.is_err() {
            return;
        }
    }
}
