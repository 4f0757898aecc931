//! Where an indicator is plugged in: `serial:///dev/ttyUSB0?9600-8N1` or `tcp://host:port`.

use std::{fmt, path::PathBuf, str::FromStr};

use weighbridge_protocol::indicators::Line;

use crate::config::HostPort;

/// The address of an indicator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortAddress {
    Serial {
        device: PathBuf,
        line: Line,
    },
    /// Raw bytes: a serial server.
    Tcp(HostPort),
    /// Modbus TCP; its address is written like the other one's.
    ModbusTcp(HostPort),
}

/// A text that is no port's address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected serial:///dev/ttyUSB0?9600-8N1 or tcp://host:port")]
pub struct NotAPort;

impl PortAddress {
    /// What two stations may not share: the device or the peer, whatever the line settings.
    pub fn place(&self) -> String {
        match self {
            Self::Serial { device, .. } => device.display().to_string(),
            Self::Tcp(at) | Self::ModbusTcp(at) => format!("tcp://{at}"),
        }
    }

    /// The same for all names of one device that are known without asking others; one that is not there yet counts by its name.
    pub fn behind(&self) -> String {
        match self {
            Self::Serial { device, .. } => device.canonicalize().as_ref().unwrap_or(device).display().to_string(),
            Self::Tcp(at) | Self::ModbusTcp(at) => {
                let host = at.host.strip_suffix('.').unwrap_or(&at.host);
                format!("tcp://{}:{}", host.to_ascii_lowercase(), at.port)
            }
        }
    }
}

impl FromStr for PortAddress {
    type Err = NotAPort;

    fn from_str(text: &str) -> Result<Self, NotAPort> {
        if let Some(rest) = text.strip_prefix("tcp://") {
            return rest.parse().map(Self::Tcp).map_err(|_| NotAPort);
        }
        let rest = text.strip_prefix("serial://").ok_or(NotAPort)?;
        let (device, line) = match rest.split_once('?') {
            Some((device, line)) => (device, line.replacen('-', " ", 1).parse().map_err(|_| NotAPort)?),
            None => (rest, Line::USUAL),
        };
        if !device.starts_with('/') || device.ends_with('/') {
            return Err(NotAPort);
        }
        Ok(Self::Serial {
            device: device.into(),
            line,
        })
    }
}

impl fmt::Display for PortAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial { device, line } => {
                let line = line.to_string().replacen(' ', "-", 1);
                write!(f, "serial://{}?{line}", device.display())
            }
            Self::Tcp(at) | Self::ModbusTcp(at) => write!(f, "tcp://{at}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let read = text
            .parse::<PortAddress>()
            .map_or_else(|error| error.to_string(), |address| address.to_string());
        assert_eq!(read, expected);
    }

    #[test]
    fn addresses_are_read_or_refused() {
        let refused = &NotAPort.to_string();
        check("serial:///dev/ttyUSB0?9600-8N1", "serial:///dev/ttyUSB0?9600-8N1");
        check("serial:///dev/ttyUSB0?4800-7E2", "serial:///dev/ttyUSB0?4800-7E2");
        check("serial:///dev/ttyUSB0", "serial:///dev/ttyUSB0?9600-8N1");
        check("tcp://192.168.0.7:4001", "tcp://192.168.0.7:4001");
        check("tcp://[::1]:23", "tcp://[::1]:23");
        for wrong in [
            "",
            "COM3",
            "/dev/ttyUSB0",
            "serial://dev/ttyUSB0",
            "serial:///dev/",
            "serial:///dev/ttyUSB0?9600",
            "serial:///dev/ttyUSB0?9600-9N1",
            "serial:///dev/ttyUSB0?9600-8M1",
            "serial:///dev/ttyUSB0?0-8N1",
            "tcp://192.168.0.7",
            "tcp://:4001",
            "tcp://host:0",
            "tcp://host:70000",
        ] {
            check(wrong, refused);
        }
    }
}
