//! An indicator behind Modbus TCP is asked, weighed and found again; the server is another implementation than the edge's codec.

use std::{
    future::Ready,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::net::TcpListener;
use tokio_modbus::{
    ExceptionCode, Request, Response, SlaveRequest,
    server::{Service, tcp::Server, tcp::accept_tcp_connection},
};

use crate::support::Site;

/// Registers 40007 to 40011 of a Laumas, and who was asked.
#[derive(Clone, Default)]
struct Laumas {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    kg: u16,
    silent: bool,
    asked: Vec<(u8, u16, u16)>,
}

impl Service for Laumas {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Option<Response>, ExceptionCode>>;

    fn call(&self, request: SlaveRequest<'static>) -> Self::Future {
        let mut shared = self.shared.lock().unwrap();
        let Request::ReadHoldingRegisters(first, count) = request.request else {
            return std::future::ready(Err(ExceptionCode::IllegalFunction));
        };
        shared.asked.push((request.slave, first, count));
        let registers = vec![0x0800, 0, shared.kg, 0, shared.kg];
        let answer = Response::ReadHoldingRegisters(registers);
        std::future::ready(Ok((!shared.silent).then_some(answer)))
    }
}

impl Laumas {
    /// Serves on a port that is free.
    fn serving(&self) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let laumas = self.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let server = Server::new(TcpListener::from_std(listener).unwrap());
                let service = move |_| Ok(Some(laumas.clone()));
                let connected = |stream, from| {
                    let service = service.clone();
                    async move { accept_tcp_connection(stream, from, service) }
                };
                server.serve(&connected, |_| ()).await.unwrap();
            });
        });
        address
    }

    fn shows(&self, kg: u16) {
        self.shared.lock().unwrap().kg = kg;
    }
}

#[test]
fn a_truck_is_weighed_over_modbus_tcp_and_again_after_the_indicator_was_silent() {
    let laumas = Laumas::default();
    let address = laumas.serving();
    let site = Site::new()
        .with_indicator(&format!("tcp://{address}"), "modbus_laumas")
        .with_option("transport = \"tcp\"")
        .with_option("address = \"7\"");
    let edge = site.start();
    site.until_deck_is("empty");
    laumas.shows(18_340);
    edge.until_committed(1);
    assert!(
        laumas
            .shared
            .lock()
            .unwrap()
            .asked
            .iter()
            .all(|asked| *asked == (7, 6, 5))
    );

    laumas.shows(0);
    site.until_deck_is("empty");
    laumas.shared.lock().unwrap().silent = true;
    edge.until_logged("the Modbus TCP connection is given up: no answer within 1s");
    laumas.shared.lock().unwrap().silent = false;
    laumas.shows(20_100);
    edge.until_committed(2);
    assert_eq!(edge.end(), 0);
    let last = site
        .events()
        .into_iter()
        .rev()
        .find(|event| event.kind.name() == "capture")
        .unwrap();
    let last = serde_json::to_value(last).unwrap();
    assert_eq!(last["payload"]["weight"], "20100.00", "{last}");
    // What is kept is RTU, which decodes again.
    let raw = last["payload"]["raw"].as_str().unwrap().to_owned();
    assert!(raw.starts_with("07030a0800"), "{raw}");
}

#[test]
fn our_rtu_is_that_of_the_crate() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_modbus::{client::Reader, client::rtu, slave::Slave};
    use weighbridge_protocol::indicators::{Options, Protocol, ReadRequest};

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (near, mut far) = tokio::io::duplex(256);
        let mut client = rtu::attach_slave(near, Slave(1));
        let poll = Protocol::named("modbus_laumas")
            .unwrap()
            .poll(&Options::default())
            .unwrap()
            .unwrap();
        let answered = async {
            let mut asked = [0; 8];
            far.read_exact(&mut asked).await.unwrap();
            assert_eq!(asked.as_slice(), poll.requests[0]);
            let request = ReadRequest::parse(&asked).unwrap();
            far.write_all(&request.answer(&[0x0800, 0, 18_340, 0, 18_340]))
                .await
                .unwrap();
        };
        let (registers, ()) = tokio::join!(client.read_holding_registers(6, 5), answered);
        assert_eq!(registers.unwrap().unwrap(), [0x0800, 0, 18_340, 0, 18_340]);
    });
}
