//! Modbus TCP made to look like Modbus RTU: whoever is above asks and is answered in RTU, whatever carries it.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    net::TcpStream,
    time::timeout,
};
use tokio_modbus::{
    client::{Context, Reader, tcp},
    slave::{Slave, SlaveContext},
};
use tracing::warn;
use weighbridge_protocol::indicators::ReadRequest;

/// An indicator that does not answer within this is let go of, so that no late answer is taken for a new one.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// More requests than ever wait for their answer.
const WAITING: usize = 1024;
/// Bytes of a read request in RTU.
const REQUEST: usize = 8;

/// A wire that carries RTU on this side and Modbus TCP on `stream`.
pub fn carried(stream: TcpStream) -> DuplexStream {
    let (near, far) = duplex(WAITING);
    tokio::spawn(async move {
        // When this ends its side of the wire closes, and the port opens another connection.
        if let Err(error) = carry(far, stream).await {
            warn!("the Modbus TCP connection is given up: {error}");
        }
    });
    near
}

async fn carry(mut wire: DuplexStream, stream: TcpStream) -> anyhow::Result<()> {
    let mut client = tcp::attach(stream);
    let mut asked = [0; WAITING];
    loop {
        let count = wire.read(&mut asked).await?;
        if count == 0 {
            return Ok(());
        }
        // An indicator that is slower than its polls is asked for the newest of them alone.
        let newest = asked[..count].chunks_exact(REQUEST).rev().find_map(ReadRequest::parse);
        if let Some(request) = newest {
            let answer = timeout(ANSWER_WITHIN, ask(&mut client, request)).await;
            let answer = answer.map_err(|_| anyhow::anyhow!("no answer within {ANSWER_WITHIN:?}"))??;
            wire.write_all(&answer).await?;
        }
    }
}

async fn ask(client: &mut Context, request: ReadRequest) -> anyhow::Result<Vec<u8>> {
    client.set_slave(Slave(request.slave));
    let count = request.count.into();
    let registers = if request.function == 4 {
        client.read_input_registers(request.first, count).await?
    } else {
        client.read_holding_registers(request.first, count).await?
    };
    Ok(match registers {
        Ok(registers) => request.answer(&registers),
        Err(exception) => request.refusal(exception.into()),
    })
}
