//! A folder that a test has for itself, gone when the test is over.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// In memory where the machine offers that, for a disk that compilers keep busy makes databases twenty times slower.
/// Its path is short enough for sockets; a PostgreSQL that runs as another user may enter it.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let root = ["/dev/shm", "/tmp"]
            .into_iter()
            .find(|root| Path::new(root).is_dir())
            .unwrap();
        let path = PathBuf::from(format!("{root}/weighbridge-{:016x}", rand::random::<u64>()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}
