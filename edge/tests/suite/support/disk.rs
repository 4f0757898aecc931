//! A small disk of its own, and a way to fill it.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    process::Command,
};

/// A file system of this size in `folder`, until it is dropped. None where this user may not mount.
pub struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    pub fn mounted_at(folder: &'a Path, megabytes: u32) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(folder)
            .status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

/// Fills the disk to its last byte.
pub fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    let mut piece = vec![0x55; 65_536];
    while !piece.is_empty() {
        if file.write(&piece).is_err() {
            piece.truncate(piece.len() / 2);
        }
    }
}

/// Fills the disk, and leaves a little of it.
pub fn fill_but(path: &Path, kilobytes: u64) {
    fill(path);
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - kilobytes * 1024).unwrap();
}
