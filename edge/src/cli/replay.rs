//! `decode` and `capture`: raw bytes in, one JSON object a line out, in order.

use std::{
    fs::File,
    io::{self, BufWriter, ErrorKind, Read, Write},
};

use weighbridge_protocol::{
    indicators::{Decoder, Garbled, Rejection},
    reading::Reading,
};

use super::{Bytes, named};
use crate::{config::Choices, exit::Exit, technician::rehearsal::Rehearsal};

/// Prints what every frame says.
pub(super) fn decode(bytes: &Bytes) -> Result<(), Exit> {
    let choices = choices(bytes)?;
    let mut out = BufWriter::new(io::stdout().lock());
    replay(bytes, decoder(bytes, &choices)?, |decoded| {
        let line = match decoded {
            Ok(reading) => reading.to_json_line(),
            Err(garbled) => garbled.to_json_line(),
        };
        writeln!(out, "{line}")
    })?;
    finished(out.flush())
}

/// Prints what the capture logic finds when a frame comes every `interval_ms`. A settled weight counts as committed.
pub(super) fn capture(bytes: &Bytes, interval_ms: u32) -> Result<(), Exit> {
    let choices = choices(bytes)?;
    let settings = choices.capture_settings().map_err(Exit::Usage)?;
    let mut scale = Rehearsal::new(settings);
    let mut t_ms = 0;
    let mut out = BufWriter::new(io::stdout().lock());
    replay(bytes, decoder(bytes, &choices)?, |decoded| {
        for event in scale.push(t_ms, decoded.as_ref().ok()) {
            writeln!(out, "{}", event.line(t_ms))?;
        }
        if was_a_frame(&decoded) {
            t_ms += i64::from(interval_ms);
        }
        Ok(())
    })?;
    finished(out.flush())
}

/// Stray bytes take no frame's time.
fn was_a_frame(decoded: &Result<Reading, Garbled>) -> bool {
    match decoded {
        Ok(_) => true,
        Err(garbled) => !matches!(garbled.why, Rejection::Noise | Rejection::Incomplete),
    }
}

fn choices(bytes: &Bytes) -> Result<Choices, Exit> {
    let choices = Choices::parse(&bytes.settings).map_err(|error| Exit::Usage(format!("--set: {error}")))?;
    if choices.names_a_transport() {
        let wrong = "--set: transport is for ports, expected none: recorded Modbus is read as RTU";
        return Err(Exit::Usage(wrong.to_owned()));
    }
    Ok(choices)
}

fn decoder(bytes: &Bytes, choices: &Choices) -> Result<Decoder, Exit> {
    let protocol = named(&bytes.protocol)?;
    choices
        .decoder(&protocol)
        .map_err(|error| Exit::Usage(format!("--set: {error}")))
}

/// Feeds the file's bytes through the decoder, however large it is.
fn replay(
    bytes: &Bytes,
    mut decoder: Decoder,
    mut each: impl FnMut(Result<Reading, Garbled>) -> io::Result<()>,
) -> Result<(), Exit> {
    let mut input: Box<dyn Read> = if bytes.file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&bytes.file);
        Box::new(file.map_err(|error| Exit::Usage(format!("{} cannot be read: {error}", bytes.file.display())))?)
    };
    let mut piece = vec![0; 64 * 1024];
    let mut written = Ok(());
    loop {
        let count = match input.read(&mut piece) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Exit::Io(format!("{} cannot be read: {error}", bytes.file.display()))),
        };
        let mut sink = |decoded| {
            if written.is_ok() {
                written = each(decoded);
            }
        };
        if count == 0 {
            decoder.finish(&mut sink);
            return finished(written);
        }
        decoder.push(&piece[..count], &mut sink);
        if written.is_err() {
            return finished(written);
        }
    }
}

/// A reader that has gone away (`decode … | head`) is no failure.
fn finished(written: io::Result<()>) -> Result<(), Exit> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
