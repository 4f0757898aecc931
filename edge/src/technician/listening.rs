//! A port read for a while, by whoever looks for what stands behind it.

use std::time::Duration;

use tokio::{
    io::AsyncReadExt,
    time::{Instant, sleep_until},
};
use weighbridge_protocol::indicators::Poll;

use crate::{
    exit::Exit,
    port::{PortAddress, PortError, ask, open},
};

/// Reads the address of a port; a device alone is a serial one.
///
/// # Errors
/// Where it is no port's address.
pub fn address(text: &str) -> Result<PortAddress, Exit> {
    let full = if text.starts_with('/') {
        format!("serial://{text}")
    } else {
        text.to_owned()
    };
    full.parse()
        .map_err(|error| Exit::Usage(format!("--port is {text:?}, {error} or /dev/ttyUSB0")))
}

/// Whether the text says with which setting a serial port is to be opened.
pub fn names_its_line(text: &str) -> bool {
    text.contains('?')
}

/// What stands in the way, with what to do where it is most likely the edge itself.
pub fn refused(error: &PortError) -> Exit {
    match error {
        PortError::Held(_) => Exit::Io(format!(
            "{error}. Where that is the edge: systemctl stop weighbridge-edge, or see how it is by weighbridge-edge status"
        )),
        other => Exit::Io(other.to_string()),
    }
}

/// Gathers what comes until so many bytes came or the time is over, and asks meanwhile.
///
/// # Errors
/// Where the port cannot be opened, or goes.
pub async fn hear(
    address: &PortAddress,
    poll: Option<&Poll>,
    within: Duration,
    enough: usize,
) -> Result<Vec<u8>, PortError> {
    let (mut reader, mut writer) = tokio::io::split(open::open(address).await?);
    let broken = |error: &std::io::Error| PortError::Other {
        place: address.place(),
        reason: error.to_string(),
    };
    let asking = ask::again_and_again(poll, &mut writer);
    tokio::pin!(asking);
    let until = Instant::now() + within;
    let (mut heard, mut bytes) = (Vec::new(), [0; 4096]);
    while heard.len() < enough {
        let read = tokio::select! {
            read = reader.read(&mut bytes) => read,
            error = &mut asking => Err(error),
            () = sleep_until(until) => break,
        };
        match read {
            Ok(0) => return Err(PortError::Gone(address.place())),
            Ok(count) => heard.extend(&bytes[..count]),
            Err(error) => return Err(broken(&error)),
        }
    }
    Ok(heard)
}
