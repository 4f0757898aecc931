//! `weighbridge-sim lamp`.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use weighbridge_sim::{
    SimError,
    lamp::{Lamp, Unit},
};

/// Prints its coils, from 0, whenever one changes. Takes lines on stdin: `input 0 on`, `weld 1`, `weld off`, `power off`,
/// `power on`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long, default_value = "127.0.0.1:5020", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The unit's number
    #[arg(long, default_value_t = 1, value_name = "N")]
    unit: u8,
}

impl Args {
    pub async fn run(self, stopped: impl Future<Output = ()>) -> Result<(), SimError> {
        let lamp = Lamp::start(self.listen, self.unit).await?;
        println!("READY pid={} addr={}", std::process::id(), lamp.address());
        let mut unit = lamp.unit();
        let mut lines = BufReader::new(stdin()).lines();
        let (mut shown, mut is_open) = (None, true);
        tokio::pin!(stopped);
        loop {
            let coils = unit.borrow_and_update().coils;
            if shown != Some(coils) {
                println!(
                    "coils {}",
                    coils.map(|on| if on { '1' } else { '0' }).iter().collect::<String>()
                );
                shown = Some(coils);
            }
            tokio::select! {
                changed = unit.changed() => if changed.is_err() { return Ok(()) },
                line = lines.next_line(), if is_open => match line {
                    Ok(Some(line)) => if !obey(&lamp, &line) {
                        println!("{line:?} is not understood, expected input N on|off, weld N|off or power on|off");
                    },
                    _ => is_open = false,
                },
                () = &mut stopped => return Ok(()),
            }
        }
    }
}

fn obey(lamp: &Lamp, line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let point = |word: &str| {
        word.parse::<usize>()
            .ok()
            .filter(|point| *point < Unit::default().inputs.len())
    };
    match words.as_slice() {
        ["input", number, state @ ("on" | "off")] => match point(number) {
            Some(point) => lamp.change(|unit| unit.inputs[point] = *state == "on"),
            None => return false,
        },
        ["weld", "off"] => lamp.change(|unit| unit.welded = None),
        ["weld", number] => match point(number) {
            Some(point) => lamp.change(|unit| {
                unit.welded = Some(point);
                unit.coils[point] = true;
            }),
            None => return false,
        },
        ["power", state @ ("on" | "off")] => lamp.set_power(*state == "on"),
        _ => return false,
    }
    true
}
