//! Carries bytes between a WebSocket and an actor that hears by a request's payload and speaks by a response's body.

use std::{
    future::poll_fn,
    io,
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    time::Duration,
};

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, sink},
    net::TcpStream,
    select,
    time::timeout,
};
use tracing::error;

use super::Inbound;

const READ_BYTES: usize = 4096;
/// How long a peer may take to hang up.
const LONGEST_FAREWELL: Duration = Duration::from_secs(5);
/// A WebSocket's close frame with code 1012: come again.
const COME_AGAIN: [u8; 4] = [0x88, 2, 0x03, 0xf4];

/// Ends when the body does, and with it the actor. `first` is what was read from the socket already.
pub async fn carry(mut socket: TcpStream, first: Bytes, inbound: Inbound, body: BoxBody) -> Result<(), Error> {
    converse(&mut socket, first, inbound, body).await?;
    hang_up(socket).await?;
    Ok(())
}

async fn converse(socket: &mut TcpStream, first: Bytes, inbound: Inbound, body: BoxBody) -> Result<(), Error> {
    let (reader, writer) = socket.split();
    let mut speaking = pin!(speak(writer, body));
    select! {
        spoken = &mut speaking => spoken,
        // The payload ends with its sender; the actor then ends the body.
        () = listen(reader, first, inbound) => speaking.await,
    }
}

/// Says that no more will come, and waits a little for the peer to agree: bytes that lie unread when a socket is dropped
/// would reset it, and the last words with it.
pub async fn hang_up(mut socket: TcpStream) -> io::Result<()> {
    socket.shutdown().await?;
    // A peer that does not hang up has had its time.
    if let Ok(read) = timeout(LONGEST_FAREWELL, copy(&mut socket, &mut sink())).await {
        read?;
    }
    Ok(())
}

async fn listen(mut reader: impl AsyncRead + Unpin, first: Bytes, inbound: Inbound) {
    let mut buffer = BytesMut::from(first);
    loop {
        if !buffer.is_empty() && inbound.send(Ok(buffer.split().freeze())).await.is_err() {
            return;
        }
        buffer.reserve(READ_BYTES);
        if !matches!(reader.read_buf(&mut buffer).await, Ok(1..)) {
            return;
        }
    }
}

/// The body runs the actor. One that panics where nobody guards it has said all that it will, and its peer should come again.
async fn speak(mut writer: impl AsyncWrite + Unpin, mut body: BoxBody) -> Result<(), Error> {
    loop {
        let next = AssertUnwindSafe(poll_fn(|context| Pin::new(&mut body).poll_next(context)));
        match next.catch_unwind().await {
            Ok(Some(bytes)) => writer.write_all(&bytes?).await?,
            Ok(None) => return Ok(()),
            Err(_panic) => {
                error!("an actor panicked outside of its messages, and its socket closes");
                writer.write_all(&COME_AGAIN).await?;
                return Ok(());
            }
        }
    }
}
