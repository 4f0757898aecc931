//! The unit that switches lamps and a barrier: Modbus TCP coils and inputs, each request with a time limit.

use std::{io, time::Duration};

use tokio::{net::TcpStream, time::timeout};
use tokio_modbus::{
    Slave,
    client::{Context, Reader, Writer, tcp},
};

use super::rule::Colour;
use crate::config::Signal;

const CONNECT_WITHIN: Duration = Duration::from_secs(3);
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// A connection to the unit. Any failure ends it: it is made anew, beginning with red.
pub(super) struct Device<'a> {
    signal: &'a Signal,
    context: Context,
}

/// What the lamp's two coils say, read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shows {
    Red,
    Green,
    Both,
    Neither,
}

impl Shows {
    pub(super) const fn is(self, colour: Colour) -> bool {
        matches!((self, colour), (Self::Red, Colour::Red) | (Self::Green, Colour::Green))
    }
}

impl<'a> Device<'a> {
    pub(super) async fn connect(signal: &'a Signal) -> io::Result<Self> {
        let stream = timeout(CONNECT_WITHIN, TcpStream::connect(signal.address.to_string())).await??;
        stream.set_nodelay(true)?;
        let context = tcp::attach_slave(stream, Slave(signal.unit));
        Ok(Self { signal, context })
    }

    /// Switches both coils by one request (function 15), so that there is no moment with both or neither, and reads them
    /// back.
    pub(super) async fn show(&mut self, colour: Colour) -> io::Result<Shows> {
        let (first, red_first) = self.lamp();
        let is_red = colour == Colour::Red;
        let coils = if red_first {
            [is_red, !is_red]
        } else {
            [!is_red, is_red]
        };
        answered(timeout(ANSWER_WITHIN, self.context.write_multiple_coils(first, &coils)).await)?;
        self.read_back().await
    }

    pub(super) async fn read_back(&mut self) -> io::Result<Shows> {
        let (first, red_first) = self.lamp();
        let coils = answered(timeout(ANSWER_WITHIN, self.context.read_coils(first, 2)).await)?;
        let (red, green) = match (coils.as_slice(), red_first) {
            ([red, green], true) | ([green, red], false) => (*red, *green),
            _ => {
                return Err(io::Error::other(format!(
                    "{} coils were answered, expected 2",
                    coils.len()
                )));
            }
        };
        Ok(match (red, green) {
            (true, false) => Shows::Red,
            (false, true) => Shows::Green,
            (true, true) => Shows::Both,
            (false, false) => Shows::Neither,
        })
    }

    pub(super) async fn switch(&mut self, coil: u16, on: bool) -> io::Result<()> {
        answered(timeout(ANSWER_WITHIN, self.context.write_single_coil(coil, on)).await)
    }

    pub(super) async fn input(&mut self, input: u16) -> io::Result<bool> {
        let inputs = answered(timeout(ANSWER_WITHIN, self.context.read_discrete_inputs(input, 1)).await)?;
        inputs
            .first()
            .copied()
            .ok_or_else(|| io::Error::other("no input was answered, expected 1"))
    }

    /// The lower of the two neighbouring coils, and whether it is the red one.
    fn lamp(&self) -> (u16, bool) {
        let Signal { red, green, .. } = *self.signal;
        (red.min(green), red < green)
    }
}

/// A refusal by the unit is a failure as well: nothing is known of its coils then.
fn answered<T>(answer: Result<tokio_modbus::Result<T>, tokio::time::error::Elapsed>) -> io::Result<T> {
    match answer {
        Ok(Ok(Ok(value))) => Ok(value),
        Ok(Ok(Err(exception))) => Err(io::Error::other(format!("the unit refused: {exception}"))),
        Ok(Err(error)) => Err(io::Error::other(error.to_string())),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
