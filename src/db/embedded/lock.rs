//! One server a data directory, kept by a lock that the kernel drops with the process.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::Path,
};

use super::EmbeddedError;

/// Holds a data directory for this process. Programs that it starts do not inherit the lock.
#[derive(Debug)]
pub(super) struct DataDirLock(File);

impl DataDirLock {
    /// Makes the directory if need be; refused, naming the holder, while another process has it.
    pub(super) fn take(data_dir: &Path) -> Result<Self, EmbeddedError> {
        let path = data_dir.join("weighbridge.lock");
        let failed = |source| EmbeddedError::File {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(data_dir).map_err(failed)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder).map_err(failed)?;
                return Err(EmbeddedError::InUse {
                    path: data_dir.to_owned(),
                    holder: holder.trim().to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self(file))
    }
}

impl Drop for DataDirLock {
    /// Closing the file is not enough: a program that is just being started holds it open between its fork and its exec,
    /// and with it the lock.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!("the data directory stays locked until the process ends: {error}");
        }
    }
}
