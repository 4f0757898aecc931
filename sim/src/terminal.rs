//! Standard output, for whoever still reads it.

use std::io::{IsTerminal, Write, stdout};

/// Prints a line. Where nobody reads any more (`| head`), the yard goes on all the same.
pub fn say(text: &str) {
    write(&format!("{text}\n"));
}

/// Prints without ending the line.
pub fn write(text: &str) {
    let mut out = stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        tracing::debug!("nobody reads standard output: {error}");
    }
}

pub fn is_terminal() -> bool {
    stdout().is_terminal()
}
