//! A Modbus TCP unit with coils and inputs, as switches lamps and barriers: strict about unit, function and range, and it
//! keeps its coils when the other side goes away, as real ones without a watchdog do.

use std::{
    future::{Ready, ready},
    net::SocketAddr,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_modbus::{ExceptionCode, Request, Response, SlaveRequest, server::Service, server::tcp::Server};

use crate::SimError;

/// How many coils and inputs the unit has.
const POINTS: usize = 8;

/// What the unit holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// Counted from 0.
    pub coils: [bool; POINTS],
    pub inputs: [bool; POINTS],
    /// Every write in its order: the first coil, and what was written.
    pub writes: Vec<(u16, Vec<bool>)>,
    /// A contact that is welded: it stays on whatever is written.
    pub welded: Option<usize>,
}

/// A running unit. Dropping it takes it off the network.
#[derive(Debug)]
pub struct Lamp {
    address: SocketAddr,
    unit: Arc<watch::Sender<Unit>>,
    power: watch::Sender<bool>,
    work: JoinHandle<()>,
}

/// One connection's way to the unit.
#[derive(Clone)]
struct Desk {
    number: u8,
    unit: Arc<watch::Sender<Unit>>,
    // One request at a time, whoever asks.
    turn: Arc<Mutex<()>>,
}

impl Lamp {
    /// Listens at `address` as the unit of this number; port 0 takes a free one.
    pub async fn start(address: SocketAddr, number: u8) -> Result<Self, SimError> {
        let listener = listen(address).await?;
        let address = listener
            .local_addr()
            .map_err(|source| SimError::io("read the lamp's address", source))?;
        let unit = Arc::new(watch::Sender::new(Unit::default()));
        let desk = Desk {
            number,
            unit: Arc::clone(&unit),
            turn: Arc::default(),
        };
        let power = watch::Sender::new(true);
        let work = tokio::spawn(work(address, listener, power.subscribe(), desk));
        Ok(Self {
            address,
            unit,
            power,
            work,
        })
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn unit(&self) -> watch::Receiver<Unit> {
        self.unit.subscribe()
    }

    /// Somebody turns a knob, a truck stands in the beam, a contact welds.
    pub fn change(&self, change: impl FnOnce(&mut Unit)) {
        self.unit.send_modify(change);
    }

    /// Without power it is off the network and its coils fall; with power they are off until somebody switches them.
    pub fn set_power(&self, on: bool) {
        if !on {
            self.change(|unit| unit.coils = [false; POINTS]);
        }
        self.power.send_replace(on);
    }
}

impl Drop for Lamp {
    fn drop(&mut self) {
        self.work.abort();
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, SimError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| SimError::io(format!("listen for the lamp at {address}"), source))
}

async fn work(address: SocketAddr, first: TcpListener, mut power: watch::Receiver<bool>, desk: Desk) {
    let mut listener = Some(first);
    loop {
        let open = match listener.take() {
            Some(open) => open,
            None => match listen(address).await {
                Ok(open) => open,
                Err(error) => return tracing::error!("the lamp does not come back: {error}"),
            },
        };
        {
            // Dropping the server ends its connections.
            let server = Server::new(open);
            let connected = |stream: TcpStream, _| ready(Ok(Some((desk.clone(), stream))));
            let failed = |error| tracing::info!("a connection to the lamp failed: {error}");
            tokio::select! {
                ended = server.serve(&connected, failed) => if let Err(error) = ended {
                    return tracing::error!("the lamp serves no more: {error}");
                },
                off = power.wait_for(|on| !on) => if off.is_err() { return },
            }
        }
        if power.wait_for(|on| *on).await.is_err() {
            return;
        }
    }
}

impl Service for Desk {
    type Request = SlaveRequest<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Response, ExceptionCode>>;

    fn call(&self, SlaveRequest { slave, request }: SlaveRequest<'static>) -> Self::Future {
        let _turn = self.turn.lock();
        if slave != self.number {
            return ready(Err(ExceptionCode::GatewayTargetDevice));
        }
        ready(match request {
            Request::ReadCoils(first, count) => read(&self.unit.borrow().coils, first, count).map(Response::ReadCoils),
            Request::ReadDiscreteInputs(first, count) => {
                read(&self.unit.borrow().inputs, first, count).map(Response::ReadDiscreteInputs)
            }
            Request::WriteSingleCoil(coil, on) => self.write(coil, &[on]).map(|()| Response::WriteSingleCoil(coil, on)),
            Request::WriteMultipleCoils(first, coils) => self
                .write(first, &coils)
                .map(|()| Response::WriteMultipleCoils(first, u16::try_from(coils.len()).unwrap_or(0))),
            _ => Err(ExceptionCode::IllegalFunction),
        })
    }
}

impl Desk {
    fn write(&self, first: u16, coils: &[bool]) -> Result<(), ExceptionCode> {
        let place = usize::from(first)..usize::from(first) + coils.len();
        if coils.is_empty() || place.end > POINTS {
            return Err(ExceptionCode::IllegalDataAddress);
        }
        self.unit.send_modify(|unit| {
            unit.coils[place].copy_from_slice(coils);
            if let Some(welded) = unit.welded {
                unit.coils[welded] = true;
            }
            unit.writes.push((first, coils.to_vec()));
        });
        Ok(())
    }
}

fn read(points: &[bool], first: u16, count: u16) -> Result<Vec<bool>, ExceptionCode> {
    let place = usize::from(first)..usize::from(first) + usize::from(count);
    match points.get(place) {
        Some(points) if !points.is_empty() => Ok(points.to_vec()),
        _ => Err(ExceptionCode::IllegalDataAddress),
    }
}

#[cfg(test)]
mod tests {
    use tokio_modbus::{Slave, client::Reader, client::Writer, client::tcp};

    use super::*;

    #[tokio::test]
    async fn it_answers_for_its_own_coils_alone_and_keeps_them_when_a_client_goes() {
        let lamp = Lamp::start(SocketAddr::from(([127, 0, 0, 1], 0)), 1).await.unwrap();
        let mut client = tcp::connect_slave(lamp.address(), Slave(1)).await.unwrap();
        client.write_multiple_coils(0, &[true, false]).await.unwrap().unwrap();
        assert_eq!(
            client.write_single_coil(8, true).await.unwrap(),
            Err(ExceptionCode::IllegalDataAddress)
        );
        assert_eq!(
            client.read_holding_registers(0, 1).await.unwrap(),
            Err(ExceptionCode::IllegalFunction)
        );
        let mut other = tcp::connect_slave(lamp.address(), Slave(2)).await.unwrap();
        assert_eq!(
            other.read_coils(0, 1).await.unwrap(),
            Err(ExceptionCode::GatewayTargetDevice)
        );
        drop(client);
        assert!(lamp.unit().borrow().coils[0]);
        lamp.set_power(false);
        assert!(!lamp.unit().borrow().coils[0]);
    }
}
