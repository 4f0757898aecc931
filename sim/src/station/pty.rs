//! A serial port without a wire: a pty under a name that stays the same when it is unplugged and plugged in again.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::AsFd,
        unix::fs::{OpenOptionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt},
    sys::termios::{BaudRate, SetArg, cfmakeraw, cfsetspeed, tcgetattr, tcsetattr},
};

use crate::SimError;

/// The indicator's end of a port. Dropping it pulls the plug: the reader sees its end, and the name is gone.
#[derive(Debug)]
pub struct Pty {
    master: PtyMaster,
    device: PathBuf,
    name: PathBuf,
}

impl Pty {
    /// Opens a pty and names it `name`, a symlink that replaces one left behind by a run that was killed.
    ///
    /// # Errors
    /// Where the system has no pty left, or `name` is something else than a symlink.
    pub fn open(name: &Path) -> Result<Self, SimError> {
        let (master, device) = opened().map_err(|errno| SimError::io("open a pty", errno))?;
        make_raw(&device).map_err(|source| SimError::file("set up", &device, source))?;
        link(&device, name).map_err(|source| SimError::file("create", name, source))?;
        Ok(Self {
            master,
            device,
            name: name.to_owned(),
        })
    }

    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Puts bytes on the line. What nobody takes is lost, as on a wire: `false` where no reader has the port open, or
    /// where it does not keep up.
    pub fn put(&mut self, bytes: &[u8]) -> bool {
        self.is_open_elsewhere() && self.master.write(bytes).is_ok_and(|count| count == bytes.len())
    }

    /// The bytes that the reader has sent to the indicator since the last call, at most 256.
    pub fn take(&mut self) -> Vec<u8> {
        let mut bytes = [0; 256];
        let count = self.master.read(&mut bytes).unwrap_or(0);
        bytes.get(..count).unwrap_or_default().to_vec()
    }

    fn is_open_elsewhere(&self) -> bool {
        let mut watched = [PollFd::new(self.master.as_fd(), PollFlags::POLLOUT)];
        let looked = poll(&mut watched, PollTimeout::ZERO);
        looked.is_ok()
            && !watched[0]
                .revents()
                .is_some_and(|seen| seen.contains(PollFlags::POLLHUP))
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Another pty may bear the name by now.
        if fs::read_link(&self.name).is_ok_and(|target| target == self.device)
            && let Err(error) = fs::remove_file(&self.name)
        {
            tracing::warn!(path = %self.name.display(), "cannot remove {}: {error}", self.name.display());
        }
    }
}

fn opened() -> Result<(PtyMaster, PathBuf), Errno> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let device = ptsname_r(&master)?.into();
    Ok((master, device))
}

/// No echo, no line editing, 8 bits. Opening the device once and closing it also makes the kernel tell from now on
/// whether anybody has it open.
fn make_raw(device: &Path) -> io::Result<()> {
    let flags = OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let port = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags.bits())
        .open(device)?;
    let mut settings = tcgetattr(&port)?;
    cfmakeraw(&mut settings);
    cfsetspeed(&mut settings, BaudRate::B9600)?;
    tcsetattr(&port, SetArg::TCSANOW, &settings)?;
    Ok(())
}

fn link(device: &Path, name: &Path) -> io::Result<()> {
    match fs::symlink_metadata(name) {
        Ok(found) if found.file_type().is_symlink() => fs::remove_file(name)?,
        Ok(_) => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "something else than a port has that name",
            ));
        }
        Err(_) => {
            if let Some(folder) = name.parent() {
                fs::create_dir_all(folder)?;
            }
        }
    }
    symlink(device, name)
}
