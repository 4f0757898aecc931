//! A proxy before the server that does to the link what networks do: cuts it, holds it, slows it, and spoils its bytes.
//!
//! - [`garble`]: what is done to the frames that the edge sends

pub mod garble;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpSocket, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{Notify, broadcast, mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use weighbridge_sim::chance::Chance;

use self::garble::{Garble, Garbler};

/// A running proxy. Dropping it closes every connection.
#[derive(Debug)]
pub struct Proxy {
    pub address: SocketAddr,
    /// An acknowledgement was lost, and its connection cut.
    pub lost: mpsc::UnboundedReceiver<()>,
    control: Arc<Control>,
    work: JoinHandle<()>,
}

/// How connections end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// In good order, by FIN.
    Closed,
    /// By RST.
    Reset,
    /// Only the edge's half, by RST: the server believes that the connection stands. What the edge sent next comes late,
    /// at [`Proxy::deliver_late`].
    HalfOpen,
}

/// How the proxy behaves now.
#[derive(Clone, Copy, Debug)]
struct Conduct {
    /// Whether connections are taken at all.
    open: bool,
    /// Whether anything passes; what does not is kept, as TCP does it.
    flows: bool,
    /// Bytes a second each way; 0 is without a limit.
    rate: u32,
    garble: Garble,
}

#[derive(Debug)]
struct Control {
    behind: SocketAddr,
    conduct: watch::Sender<Conduct>,
    cuts: broadcast::Sender<Cut>,
    late: Notify,
    acks_to_lose: AtomicUsize,
    tell_lost: mpsc::UnboundedSender<()>,
    connections: AtomicUsize,
    fenced: AtomicUsize,
    garbled: AtomicUsize,
    chance: Mutex<Chance>,
}

/// What may lie unread on a line without a store of its own.
const RECEIVED: u32 = 16 * 1024;
/// Bytes that pass at once.
const CHUNK: usize = 16 * 1024;
const ACK: &[u8] = br#""type":"ack""#;
/// Of the server's frame that closes with 4409.
const FENCED: [u8; 2] = 4409_u16.to_be_bytes();

impl Proxy {
    /// Before the server at `behind`. It does nothing wrong until it is told to.
    pub fn before(behind: SocketAddr, chance: Chance) -> Self {
        Self::by(TcpSocket::new_v4().unwrap(), behind, chance)
    }

    /// One that keeps next to nothing of what it is sent, as a line that crawls. A backlog takes long through it, limited
    /// or not: the window is smaller than a packet of this machine's own network, so the sender waits for its timer.
    pub fn without_store(behind: SocketAddr, chance: Chance) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(RECEIVED).unwrap();
        Self::by(socket, behind, chance)
    }

    fn by(socket: TcpSocket, behind: SocketAddr, chance: Chance) -> Self {
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let (tell_lost, lost) = mpsc::unbounded_channel();
        let control = Arc::new(Control {
            behind,
            conduct: watch::Sender::new(Conduct {
                open: true,
                flows: true,
                rate: 0,
                garble: Garble::default(),
            }),
            cuts: broadcast::channel(64).0,
            late: Notify::new(),
            acks_to_lose: AtomicUsize::new(0),
            tell_lost,
            connections: AtomicUsize::new(0),
            fenced: AtomicUsize::new(0),
            garbled: AtomicUsize::new(0),
            chance: Mutex::new(chance),
        });
        let shared = Arc::clone(&control);
        let work = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((edge, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                connections.spawn(async move { shared.connection(edge).await });
            }
        });
        Self {
            address,
            lost,
            control,
            work,
        }
    }

    /// Each of the next `count` acknowledgements is cut off at a random byte, and its connection with it.
    pub fn lose_acks(&self, count: usize) {
        self.control.acks_to_lose.store(count, SeqCst);
    }

    /// Ends every connection.
    pub fn cut(&self, how: Cut) {
        // Without a connection there is nobody to hear it.
        self.control.cuts.send(how).unwrap_or_default();
    }

    /// Whether connections are taken; if not, each is refused as by a server that is down.
    pub fn open(&self, open: bool) {
        self.control.conduct.send_modify(|conduct| conduct.open = open);
    }

    /// Whether anything passes. A silent network loses nothing that TCP will not send again: it comes when it flows again.
    pub fn flow(&self, flows: bool) {
        self.control.conduct.send_modify(|conduct| conduct.flows = flows);
    }

    /// At most so many bytes a second each way; 0 is without a limit.
    pub fn limit(&self, rate: u32) {
        self.control.conduct.send_modify(|conduct| conduct.rate = rate);
    }

    /// Spoils what the edge sends from now on.
    pub fn garble(&self, garble: Garble) {
        self.control.conduct.send_modify(|conduct| conduct.garble = garble);
    }

    /// What was held back of half-open connections reaches the server.
    pub fn deliver_late(&self) {
        self.control.late.notify_waiters();
    }

    /// How many connections the edge has opened.
    pub fn connections(&self) -> usize {
        self.control.connections.load(SeqCst)
    }

    /// How many half-open connections the server closed with 4409.
    pub fn fenced(&self) -> usize {
        self.control.fenced.load(SeqCst)
    }

    /// How many frames were spoiled.
    pub fn garbled(&self) -> usize {
        self.control.garbled.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Control {
    fn draw(&self) -> Chance {
        let mut chance = self.chance.lock();
        Chance::of_seed(chance.bits())
    }

    async fn connection(&self, mut edge: TcpStream) {
        let mut cuts = self.cuts.subscribe();
        if !self.conduct.borrow().open {
            return reset(&edge);
        }
        let mut conduct = self.conduct.subscribe();
        if conduct.wait_for(|conduct| conduct.flows).await.is_err() {
            return;
        }
        let Ok(mut server) = TcpStream::connect(self.behind).await else {
            return reset(&edge);
        };
        self.connections.fetch_add(1, SeqCst);
        // A cable has no opinion on small packets.
        edge.set_nodelay(true).unwrap_or_default();
        server.set_nodelay(true).unwrap_or_default();
        let how = {
            let (from_edge, to_edge) = edge.split();
            let (from_server, to_server) = server.split();
            tokio::select! {
                () = self.upward(from_edge, to_server) => Cut::Closed,
                () = self.downward(from_server, to_edge) => Cut::Closed,
                how = cuts.recv() => how.unwrap_or(Cut::Closed),
            }
        };
        match how {
            Cut::Closed => (),
            Cut::Reset => {
                reset(&edge);
                reset(&server);
            }
            Cut::HalfOpen => self.half_open(edge, server).await,
        }
    }

    /// What the edge says.
    async fn upward(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) {
        let mut garbler = Garbler::new(self.draw());
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = from.read(&mut chunk[..self.at_once()]).await {
            let conduct = self.passable(count).await;
            let bytes = garbler.pass(&chunk[..count], conduct.garble);
            self.garbled.fetch_add(garbler.spoiled(), SeqCst);
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }

    /// What the server says.
    async fn downward(&self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = from.read(&mut chunk[..self.at_once()]).await {
            self.passable(count).await;
            let bytes = &chunk[..count];
            let ack = bytes.windows(ACK.len()).position(|window| window == ACK);
            if let Some(at) = ack.filter(|_| self.takes_one_ack()) {
                let upto = self.draw().below(u64::try_from(at + ACK.len()).unwrap());
                // The connection ends here in any case.
                to.write_all(&bytes[..usize::try_from(upto).unwrap()])
                    .await
                    .unwrap_or_default();
                return self.tell_lost.send(()).unwrap_or_default();
            }
            if to.write_all(bytes).await.is_err() {
                return;
            }
        }
    }

    /// A tenth of a second's worth where the line is slow.
    fn at_once(&self) -> usize {
        match self.conduct.borrow().rate {
            0 => CHUNK,
            rate => usize::try_from(rate / 10).unwrap().clamp(1, CHUNK),
        }
    }

    fn takes_one_ack(&self) -> bool {
        self.acks_to_lose
            .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
            .is_ok()
    }

    /// Waits until so many bytes may pass.
    async fn passable(&self, bytes: usize) -> Conduct {
        let mut conduct = self.conduct.subscribe();
        let now = match conduct.wait_for(|conduct| conduct.flows).await {
            Ok(now) => *now,
            Err(_) => *self.conduct.borrow(),
        };
        if now.rate > 0 {
            let bytes = u32::try_from(bytes).unwrap();
            sleep(Duration::from_secs(1) * bytes / now.rate).await;
        }
        now
    }

    /// The server's half stays, as after a power cut at the edge. What the edge had sent arrives late.
    async fn half_open(&self, mut edge: TcpStream, mut server: TcpStream) {
        let mut late = vec![0; 16 * 1024];
        let held = tokio::time::timeout(Duration::from_millis(500), edge.read(&mut late)).await;
        let held = held.map_or(0, |read| read.unwrap_or(0));
        reset(&edge);
        drop(edge);
        let mut heard = vec![0; 16 * 1024];
        loop {
            tokio::select! {
                () = self.late.notified() => {
                    // A server that has closed takes nothing more, which is what is hoped for.
                    server.write_all(&late[..held]).await.unwrap_or_default();
                }
                read = server.read(&mut heard) => match read {
                    Ok(count @ 1..) => {
                        if heard[..count].windows(2).any(|pair| pair == FENCED) {
                            self.fenced.fetch_add(1, SeqCst);
                        }
                    }
                    _ => return,
                }
            }
        }
    }
}

/// Ends a connection by RST when it is dropped.
fn reset(stream: &TcpStream) {
    // It may have ended already.
    stream.set_zero_linger().unwrap_or_default();
}
