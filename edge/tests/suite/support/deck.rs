//! A deck with an A&D indicator that streams fifty frames a second over a pty.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use nix::{
    fcntl::OFlag,
    pty::{grantpt, posix_openpt, ptsname_r, unlockpt},
    sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr},
};

const FRAME_EVERY: Duration = Duration::from_millis(20);

/// Dropping it pulls the plug.
pub struct Deck {
    /// A link to the pty, which keeps its name when the pty changes.
    pub device: PathBuf,
    shared: Arc<Mutex<Shared>>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    says: Says,
    heard: Vec<u8>,
    ends: bool,
}

/// What comes out of the indicator.
#[derive(Clone, Debug)]
pub enum Says {
    /// A steady weight.
    Kg(i32),
    Bytes(Vec<u8>),
    Nothing,
}

impl Deck {
    /// An empty deck, plugged in at `device`.
    pub fn plugged_in_at(device: &Path) -> Self {
        let mut deck = Self {
            device: device.to_owned(),
            shared: Arc::new(Mutex::new(Shared {
                says: Says::Kg(0),
                heard: Vec::new(),
                ends: false,
            })),
            writer: None,
        };
        deck.plug_in();
        deck
    }

    pub fn weighs(&self, kg: i32) {
        self.says(Says::Kg(kg));
    }

    pub fn says(&self, says: Says) {
        self.shared.lock().unwrap().says = says;
    }

    /// What the edge has sent to the indicator.
    pub fn heard(&self) -> Vec<u8> {
        self.shared.lock().unwrap().heard.clone()
    }

    pub fn unplug(&mut self) {
        self.shared.lock().unwrap().ends = true;
        if let Some(writer) = self.writer.take() {
            writer.join().unwrap();
        }
        std::fs::remove_file(&self.device).unwrap();
    }

    /// Another pty under the same name, as udev gives an adapter.
    pub fn plug_in(&mut self) {
        // No child may inherit the master, or the plug could not be pulled.
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname_r(&master).unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOCTTY.bits())
            .open(&name)
            .unwrap();
        let mut settings = tcgetattr(&slave).unwrap();
        cfmakeraw(&mut settings);
        tcsetattr(&slave, SetArg::TCSANOW, &settings).unwrap();
        std::os::unix::fs::symlink(name, &self.device).unwrap();
        self.shared.lock().unwrap().ends = false;
        let shared = Arc::clone(&self.shared);
        self.writer = Some(std::thread::spawn(move || stream(master.into(), slave, &shared)));
    }
}

impl Drop for Deck {
    fn drop(&mut self) {
        if self.writer.is_some() {
            self.unplug();
        }
    }
}

/// The slave stays open as long as the master: a deck is there also while no edge listens.
fn stream(master: OwnedFd, slave: File, shared: &Mutex<Shared>) {
    let mut wire = File::from(master);
    let mut bytes = [0; 256];
    loop {
        let says = {
            let mut shared = shared.lock().unwrap();
            if shared.ends {
                break;
            }
            // Nothing to read is no error here.
            if let Ok(count) = wire.read(&mut bytes) {
                shared.heard.extend(&bytes[..count]);
            }
            shared.says.clone()
        };
        let frame = match says {
            Says::Kg(kg) => format!("ST,GS,{}{:07}kg\r\n", if kg < 0 { '-' } else { '+' }, kg.abs()).into_bytes(),
            Says::Bytes(bytes) => bytes,
            Says::Nothing => Vec::new(),
        };
        // A line that nobody reads fills up; a UART would lose the bytes as well.
        if let Err(error) = wire.write_all(&frame) {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        }
        std::thread::sleep(FRAME_EVERY);
    }
    drop(slave);
}
