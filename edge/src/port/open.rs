//! Opening a port, and saying what stands in the way.

use std::{
    fmt, io,
    path::Path,
    time::{Duration, Instant},
};

use mio_serial::SerialStream;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadHalf, split},
    net::TcpStream,
    time::timeout,
};
use tokio_serial::{DataBits, ErrorKind, SerialPortBuilder, SerialPortBuilderExt, StopBits};
use weighbridge_protocol::indicators::{Line, Parity};

use super::{
    PortAddress,
    claims::{Claim, Claims, canonical},
    modbus_tcp,
    pace::Heard,
    serial::Serial,
};
use crate::config::HostPort;

/// A converter that does not answer within this is treated as absent.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);

/// Why a port cannot be read. The same reason twice is said once.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    #[error("{0} is not there; plug the adapter in, or correct the station's port")]
    Missing(String),
    #[error("{0} is held by another process; stop that one (fuser {0} names it)")]
    Held(String),
    #[error(
        "{place} is what station {station} reads already, by this name or another; give each station a port of its own"
    )]
    Shared { place: String, station: i64 },
    #[error("{0} is no serial device; correct the station's port")]
    NotSerial(String),
    #[error("{0} may not be opened; add this user to the group that owns it (often dialout)")]
    Forbidden(String),
    #[error("{place} cannot be opened: {reason}")]
    Other { place: String, reason: String },
    #[error("{0} has gone")]
    Gone(String),
}

/// The bytes of an indicator, whatever carries them.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// Where the bytes of an indicator come from.
pub enum Reader {
    /// A serial line, which is read when a frame is due.
    Paced(Serial),
    /// Anything else is read when something comes.
    Plain(ReadHalf<Box<dyn Wire>>),
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paced(_) => "Paced",
            Self::Plain(_) => "Plain",
        })
    }
}

/// Where requests to an indicator go.
pub type Writer = Box<dyn AsyncWrite + Unpin + Send>;

impl Reader {
    /// 0 where the port has gone.
    pub async fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Paced(serial) => serial.read(bytes).await,
            Self::Plain(wire) => wire.read(bytes).await,
        }
    }

    /// What the bytes that were read at `at` gave.
    pub fn heard(&mut self, at: Instant, heard: Heard) {
        if let Self::Paced(serial) = self {
            serial.heard(at, heard);
        }
    }
}

/// Opens the port as [`open`] does, to be read at its pace, and by this station alone while the claim is held.
pub async fn open_to_weigh(
    address: &PortAddress,
    claims: &Claims,
    station_id: i64,
) -> Result<(Reader, Writer, Claim), PortError> {
    let place = address.place();
    let claim = |what| {
        let shared = |station| PortError::Shared {
            place: place.clone(),
            station,
        };
        claims.take(what, station_id).map_err(shared)
    };
    let (wire, claim): (Box<dyn Wire>, _) = match address {
        PortAddress::Serial { device, line } => {
            let claim = claim(address.behind())?;
            let (reader, writer) = open_paced(device, *line)?;
            return Ok((reader, writer, claim));
        }
        PortAddress::Tcp(at) => {
            let (stream, peer) = connect(at, place.clone()).await?;
            (Box::new(stream), claim(peer)?)
        }
        PortAddress::ModbusTcp(at) => {
            let (stream, peer) = connect(at, place.clone()).await?;
            (Box::new(modbus_tcp::carried(stream)), claim(peer)?)
        }
    };
    let (reader, writer) = split(wire);
    Ok((Reader::Plain(reader), Box::new(writer), claim))
}

/// Opens the port, for this process alone.
pub async fn open(address: &PortAddress) -> Result<Box<dyn Wire>, PortError> {
    match address {
        PortAddress::Serial { device, line } => open_serial(device, *line),
        PortAddress::Tcp(at) => Ok(Box::new(connect(at, address.place()).await?.0)),
        PortAddress::ModbusTcp(at) => Ok(Box::new(modbus_tcp::carried(connect(at, address.place()).await?.0))),
    }
}

/// A connection, and what its peer is called whatever name led to it.
async fn connect(at: &HostPort, place: String) -> Result<(TcpStream, String), PortError> {
    let refused = |reason: String| PortError::Other { place, reason };
    let connecting = async {
        let stream = TcpStream::connect(at.to_string()).await?;
        let peer = format!("tcp://{}", canonical(stream.peer_addr()?));
        Ok::<_, io::Error>((stream, peer))
    };
    match timeout(CONNECT_WITHIN, connecting).await {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(error)) => Err(refused(error.to_string())),
        Err(_) => Err(refused(format!("no answer within {CONNECT_WITHIN:?}"))),
    }
}

/// For the tools, which look at everything that comes.
fn open_serial(device: &Path, line: Line) -> Result<Box<dyn Wire>, PortError> {
    match settings(device, line).open_native_async() {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(refused(device, &error)),
    }
}

fn open_paced(device: &Path, line: Line) -> Result<(Reader, Writer), PortError> {
    let opened = SerialStream::open(&settings(device, line)).and_then(|port| Ok(Serial::new(port, line.byte_time())?));
    let (reader, writer) = opened.map_err(|error| refused(device, &error))?;
    Ok((Reader::Paced(reader), Box::new(writer)))
}

fn settings(device: &Path, line: Line) -> SerialPortBuilder {
    tokio_serial::new(device.display().to_string(), line.baud)
        .data_bits(match line.data_bits {
            7 => DataBits::Seven,
            _ => DataBits::Eight,
        })
        .parity(match line.parity {
            Parity::None => tokio_serial::Parity::None,
            Parity::Even => tokio_serial::Parity::Even,
            Parity::Odd => tokio_serial::Parity::Odd,
        })
        .stop_bits(if line.stop_bits == 2 {
            StopBits::Two
        } else {
            StopBits::One
        })
}

fn refused(device: &Path, error: &tokio_serial::Error) -> PortError {
    let place = device.display().to_string();
    match error.kind() {
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => PortError::Forbidden(place),
        ErrorKind::NoDevice if device.exists() => PortError::Held(place),
        ErrorKind::NoDevice | ErrorKind::Io(io::ErrorKind::NotFound) => PortError::Missing(place),
        _ if is_no_device(device) => PortError::NotSerial(place),
        _ => PortError::Other {
            place,
            reason: error.to_string(),
        },
    }
}

fn is_no_device(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    path.metadata().is_ok_and(|file| !file.file_type().is_char_device())
}

#[cfg(test)]
mod tests {
    use nix::pty::openpty;

    use super::*;

    async fn refusal(device: &str) -> PortError {
        let address = format!("serial://{device}").parse().unwrap();
        open(&address).await.err().unwrap()
    }

    #[actix_rt::test]
    async fn what_stands_in_the_way_is_named() {
        let missing = "/dev/ttyThatIsNotThere".to_owned();
        assert_eq!(refusal(&missing).await, PortError::Missing(missing));

        let file = tempfile::NamedTempFile::new().unwrap();
        let plain = file.path().display().to_string();
        assert_eq!(refusal(&plain).await, PortError::NotSerial(plain));

        let ends = openpty(None, None).unwrap();
        let device = nix::unistd::ttyname(&ends.slave).unwrap().display().to_string();
        let first = open(&format!("serial://{device}").parse().unwrap()).await.unwrap();
        assert_eq!(refusal(&device).await, PortError::Held(device));
        drop(first);
    }
}
