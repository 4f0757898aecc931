//! `weighbridge-sim`: a yard to try things in.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
