//! `weighbridge-bench`: measures what the product claims.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
