//! The files of the private PostgreSQL: whose they are, where it is reached, and its password.

use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use nix::unistd::{Uid, User};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::{EmbeddedError, binaries::Binaries};

/// A database cluster on disk.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    /// PostgreSQL's data directory.
    pub(super) data: PathBuf,
    pub(super) binaries: Binaries,
    /// Where its socket lies.
    pub(super) socket_dir: PathBuf,
    /// Settings beyond ours, `name=value`.
    pub(super) settings: Vec<String>,
    /// As whom it runs, where that is not ourselves.
    owner: Option<User>,
    password: SecretString,
}

/// The longest path a socket may have, less the socket's own name in its directory.
const LONGEST_SOCKET_DIR: usize = 107 - "/.s.PGSQL.5432".len();

impl Cluster {
    /// Finds the cluster under `data_dir`, or makes one.
    pub(super) fn prepare(data_dir: &Path, settings: &[&str]) -> Result<Self, EmbeddedError> {
        let data_dir = &data_dir.canonicalize().map_err(at(data_dir))?;
        let data = data_dir.join("postgres");
        let owner = owner()?;
        if let Some(user) = &owner {
            refuse_closed_parents(data_dir, user)?;
        }
        let version = fs::read_to_string(data.join("PG_VERSION")).ok();
        let exists = version.is_some();
        let binaries = Binaries::find(version.and_then(|version| version.trim().parse().ok()))?;
        let cluster = Self {
            password: password(&data_dir.join("postgres.password"), exists)?,
            socket_dir: socket_dir(data_dir),
            data,
            binaries,
            settings: settings.iter().map(ToString::to_string).collect(),
            owner,
        };
        if !exists {
            cluster.initialise(data_dir)?;
        }
        cluster.own_dir(&cluster.socket_dir)?;
        let url = cluster.url("weighbridge");
        write_secret(&data_dir.join("database.url"), url.expose_secret())?;
        Ok(cluster)
    }

    /// Where one of its databases is reached, password included.
    pub(super) fn url(&self, database: &str) -> SecretString {
        let password = self.password.expose_secret();
        let host = percent_encoded(self.socket_dir.as_os_str().as_bytes());
        format!("postgres://weighbridge:{password}@{host}/{database}").into()
    }

    /// What it says before it has a log of its own.
    pub(super) fn start_log(&self) -> PathBuf {
        self.data.with_file_name("postgres.start.log")
    }

    /// One of PostgreSQL's programs, to be run as the cluster's owner.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.dir.join(program));
        command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin");
        if let Some(user) = &self.owner {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// Makes the cluster beside its place and moves it there, so that a half-made one is never taken for one.
    fn initialise(&self, data_dir: &Path) -> Result<(), EmbeddedError> {
        let making = data_dir.join("postgres.new");
        let given = data_dir.join("postgres.password.new");
        if making.exists() {
            fs::remove_dir_all(&making).map_err(at(&making))?;
        }
        self.own_dir(&making)?;
        write_secret(&given, self.password.expose_secret())?;
        self.own(&given)?;
        let output = self
            .command("initdb")
            .args([
                "--username=weighbridge",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .arg("--pgdata")
            .arg(&making)
            .arg(format!("--pwfile={}", given.display()))
            .output()?;
        fs::remove_file(&given).map_err(at(&given))?;
        if !output.status.success() {
            return Err(EmbeddedError::Failed {
                program: "initdb",
                output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        fs::rename(&making, &self.data).map_err(at(&self.data))
    }

    /// Makes a directory that the owner alone may enter.
    fn own_dir(&self, dir: &Path) -> Result<(), EmbeddedError> {
        match fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(dir)(error)),
            _ => (),
        }
        let made_by = fs::symlink_metadata(dir).map_err(at(dir))?;
        let ours = self.owner.as_ref().map_or_else(Uid::effective, |user| user.uid);
        if !made_by.is_dir() || ![ours, Uid::effective()].contains(&Uid::from_raw(made_by.uid())) {
            return Err(at(dir)(io::Error::other(
                "it belongs to somebody else, expected a directory of ours",
            )));
        }
        self.own(dir)?;
        fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(at(dir))
    }

    fn own(&self, path: &Path) -> Result<(), EmbeddedError> {
        let Some(user) = &self.owner else { return Ok(()) };
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(at(path))
    }
}

/// PostgreSQL refuses to run as root.
fn owner() -> Result<Option<User>, EmbeddedError> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Ok(Some(user)) = User::from_name(name) {
            return Ok(Some(user));
        }
    }
    Err(EmbeddedError::NoUser)
}

fn refuse_closed_parents(data_dir: &Path, user: &User) -> Result<(), EmbeddedError> {
    for dir in data_dir.ancestors() {
        let metadata = fs::metadata(dir).map_err(at(dir))?;
        let mode = metadata.mode();
        let may_enter = if metadata.uid() == user.uid.as_raw() {
            mode & 0o100
        } else if metadata.gid() == user.gid.as_raw() {
            mode & 0o010
        } else {
            mode & 0o001
        };
        if may_enter == 0 {
            return Err(EmbeddedError::CannotEnter {
                user: user.name.clone(),
                path: dir.to_owned(),
            });
        }
    }
    Ok(())
}

/// In the data directory where its path is short enough, else under /tmp, by a name that follows from it.
fn socket_dir(data_dir: &Path) -> PathBuf {
    let beside = data_dir.join("postgres.socket");
    if beside.as_os_str().len() <= LONGEST_SOCKET_DIR {
        return beside;
    }
    let hash = Sha256::digest(data_dir.as_os_str().as_bytes());
    let name = hash
        .iter()
        .take(8)
        .fold(0_u64, |name, byte| name << 8 | u64::from(*byte));
    PathBuf::from(format!("/tmp/weighbridge-{name:016x}"))
}

fn password(path: &Path, cluster_exists: bool) -> Result<SecretString, EmbeddedError> {
    match fs::read_to_string(path) {
        Ok(password) => Ok(password.trim().into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !cluster_exists => {
            let password = format!("{:032x}", rand::random::<u128>());
            write_secret(path, &password)?;
            Ok(password.into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(EmbeddedError::NoPassword { path: path.to_owned() })
        }
        Err(error) => Err(at(path)(error)),
    }
}

fn write_secret(path: &Path, secret: &str) -> Result<(), EmbeddedError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(at(path))?;
    writeln!(file, "{secret}")
        .and_then(|()| file.sync_all())
        .map_err(at(path))
}

fn percent_encoded(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(*byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Names the file that an error is about.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> EmbeddedError {
    move |source| EmbeddedError::File {
        path: path.to_owned(),
        source,
    }
}
