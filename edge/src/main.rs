//! `weighbridge-edge`: the command line.

use std::process::ExitCode;

use weighbridge_edge::cli;

fn main() -> ExitCode {
    match cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("weighbridge-edge: {exit}");
            exit.code()
        }
    }
}
