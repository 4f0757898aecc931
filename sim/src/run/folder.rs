//! Where everything of a run lies: one run at a time, and its secrets for its owner alone.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::{SimError, server::Login, setup::write_secret};

/// A run's folder, held as long as this lives. A run that is killed lets go of it by its death.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing, and takes it.
    ///
    /// # Errors
    /// Where another run has it.
    pub fn open(path: &Path) -> Result<Self, SimError> {
        fs::create_dir_all(path).map_err(|source| SimError::file("create", path, source))?;
        let path = fs::canonicalize(path).map_err(|source| SimError::file("find", path, source))?;
        let folder = path.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&folder);
        let lock = lock.map_err(|source| SimError::file("open", &folder, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(SimError::Usage(format!(
                "another run works in {}, expected a folder of its own",
                path.display()
            ))),
            Err(TryLockError::Error(source)) => Err(SimError::file("lock", &folder, source)),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn server_data(&self) -> PathBuf {
        self.path.join("server")
    }

    /// A truth without its server, and an edge that knows another one, are of no use any more.
    pub fn forget_older_site(&self) -> Result<(), SimError> {
        if self.server_data().exists() {
            return Ok(());
        }
        let cannot = |path: &Path| {
            let path = path.to_owned();
            move |source| SimError::file("remove", path, source)
        };
        for file in ["truth.jsonl", "edge.out", "edge-key.json"].map(|name| self.path.join(name)) {
            if file.exists() {
                fs::remove_file(&file).map_err(cannot(&file))?;
            }
        }
        let edge = self.path.join("edge");
        if edge.exists() {
            fs::remove_dir_all(&edge).map_err(cannot(&edge))?;
        }
        Ok(())
    }

    /// Where the server's private PostgreSQL is reached.
    pub fn database_url(&self) -> Result<String, SimError> {
        let path = self.server_data().join("database.url");
        fs::read_to_string(&path)
            .map(|url| url.trim().to_owned())
            .map_err(|source| SimError::file("read", path, source))
    }

    /// The administrator of this folder's server; drawn at its first run.
    pub fn login(&self) -> Result<Login, SimError> {
        let path = self.path.join("password");
        let kept = fs::read_to_string(&path)
            .ok()
            .map(|password| password.trim().to_owned());
        let password = kept.map_or_else(|| draw_password(&path), Ok)?;
        Ok(Login {
            login_id: "admin".to_owned(),
            password,
        })
    }
}

fn draw_password(path: &Path) -> Result<String, SimError> {
    let drawn = Uuid::new_v4().simple().to_string();
    // Letters, digits and a sign, as the server's rules demand.
    let password = format!("Yard-{}-7", &drawn[..10]);
    write_secret(path, &password)?;
    Ok(password)
}

/// Where runs lie by default: PostgreSQL's unprivileged user must be able to enter it, so never below /root.
pub fn usual() -> PathBuf {
    let home = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")));
    match home {
        Some(home) if !nix::unistd::geteuid().is_root() => home.join("weighbridge-yard"),
        _ => PathBuf::from("/var/lib/weighbridge-yard"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_run_at_a_time_has_a_folder_and_its_login_stays() {
        let scratch = crate::scratch::Folder::new();
        let folder = Folder::open(scratch.path()).unwrap();
        let refusal = Folder::open(scratch.path()).unwrap_err().to_string();
        assert!(refusal.contains("another run"), "{refusal}");
        let password = folder.login().unwrap().password;
        drop(folder);
        assert_eq!(
            Folder::open(scratch.path()).unwrap().login().unwrap().password,
            password
        );
    }
}
