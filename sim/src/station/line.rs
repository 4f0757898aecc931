//! The speed of a serial line: bytes trickle out one by one, ten bits each.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::pty::Pty;

/// How fast bytes leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Bits a second; none sends a whole frame at once.
    pub baud: Option<u32>,
}

impl Default for Line {
    fn default() -> Self {
        Self { baud: Some(9600) }
    }
}

impl Line {
    /// Sends the bytes in the time that a UART would take, one start and one stop bit each, until `cut` says stop.
    /// Answers whether somebody took all of them.
    pub async fn send(self, pty: &mut Pty, bytes: &[u8], cut: impl Fn() -> bool) -> bool {
        let Some(byte_time) = self.byte_time() else {
            return pty.put(bytes);
        };
        let mut due = Instant::now();
        let mut taken = true;
        for byte in bytes {
            due += byte_time;
            sleep_until(due).await;
            if cut() {
                return false;
            }
            taken &= pty.put(&[*byte]);
        }
        taken
    }

    fn byte_time(self) -> Option<Duration> {
        self.baud.map(|baud| Duration::from_secs(10) / baud.max(50))
    }
}
