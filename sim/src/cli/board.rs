//! `weighbridge-sim board`.

use std::{net::SocketAddr, sync::Arc};

use weighbridge_sim::{
    SimError,
    board::{Board, Speech},
    control::{Command, Control, HELP, Obeys},
};

/// Prints each text that comes, its lines joined by ` | `.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long, default_value = "127.0.0.1:5000", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// What it understands
    #[arg(long, value_enum, default_value_t, value_name = "NAME")]
    protocol: Speech,
    /// Where the control port listens (`board off`, `board slow 2`, `board on`)
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    control: SocketAddr,
}

struct Alone(Board);

impl Args {
    pub async fn run(self, stopped: impl Future<Output = ()>) -> Result<(), SimError> {
        let board = Arc::new(Alone(Board::speaking(self.protocol, self.listen).await?));
        let control = Control::start(self.control, Arc::clone(&board)).await?;
        println!(
            "READY pid={} addr={} control={}",
            std::process::id(),
            board.0.address(),
            control.address()
        );
        let printing = async {
            let mut screen = board.0.screen();
            while screen.changed().await.is_ok() {
                let text = screen.borrow_and_update().lines.join(" | ");
                println!("{text}");
            }
        };
        tokio::select! {
            () = printing => {}
            () = stopped => {}
        }
        Ok(())
    }
}

impl Obeys for Alone {
    fn obey(&self, command: &Command) -> Result<String, SimError> {
        match command {
            Command::Help => Ok(HELP.to_owned()),
            Command::Board(mood) => {
                self.0.set_mood(*mood);
                Ok(String::new())
            }
            _ => Err(SimError::Usage(
                "this is a board alone, expected a command for boards".to_owned(),
            )),
        }
    }
}
