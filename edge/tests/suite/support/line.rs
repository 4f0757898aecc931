//! An indicator on a pty that knows at which speed it is listened to, as on a real line: at any other it is garbage.

use std::{
    fs::{File, OpenOptions},
    io::ErrorKind,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use nix::{
    fcntl::OFlag,
    pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt},
    sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr},
};
use tokio_serial::{SerialPort, SerialStream};

const EVERY: Duration = Duration::from_millis(10);

/// Unplugged when dropped.
pub struct Line {
    pub device: PathBuf,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Line {
    /// `says` is told the speed and what was heard meanwhile, and answers what comes out.
    pub fn new(says: impl FnMut(u32, &[u8]) -> Vec<u8> + Send + 'static) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let (told, (named, name)) = (Arc::clone(&ends), mpsc::channel());
        let thread = Some(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let (master, mut slave) = SerialStream::pair().unwrap();
                slave.set_exclusive(false).unwrap();
                let name = slave.name().unwrap();
                // Without its other end open the pty would be hung up whenever a program closes it; this end locks nothing.
                let kept = File::open(&name).unwrap();
                drop(slave);
                named.send(name).unwrap();
                play(master, &told, says).await;
                drop(kept);
            });
        }));
        let device = PathBuf::from(name.recv().unwrap());
        Self { device, ends, thread }
    }

    /// One that streams frames at this speed and is garbage at any other.
    pub fn streaming(at: u32, mut frame: impl FnMut() -> Vec<u8> + Send + 'static) -> Self {
        Self::new(move |speed, _| {
            let bytes = frame();
            if speed == at {
                bytes
            } else {
                bytes.iter().map(|byte| byte.rotate_left(3) | 0xC1).take(7).collect()
            }
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let played = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || played.is_some_and(|played| played.is_ok()));
    }
}

/// Both ends of a raw pty, and the name of the one that programs open.
pub fn pair() -> (PtyMaster, File, PathBuf) {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let device = PathBuf::from(ptsname_r(&master).unwrap());
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits())
        .open(&device)
        .unwrap();
    let mut settings = tcgetattr(&slave).unwrap();
    cfmakeraw(&mut settings);
    tcsetattr(&slave, SetArg::TCSANOW, &settings).unwrap();
    (master, slave, device)
}

async fn play(mut master: SerialStream, ends: &AtomicBool, mut says: impl FnMut(u32, &[u8]) -> Vec<u8>) {
    let mut bytes = [0; 256];
    while !ends.load(Ordering::SeqCst) {
        let count = master.try_read(&mut bytes).unwrap_or(0);
        let speed = master.baud_rate().unwrap();
        // A line that nobody reads loses what comes.
        let written = master.try_write(&says(speed, &bytes[..count]));
        assert!(written.is_ok() || written.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
        tokio::time::sleep(EVERY).await;
    }
}
