//! The secrets that no setting gives: made on first start, one file each under `data_dir/keys`, mode 0600.
//!
//! - `token-<id>.key`: seeds of the Ed25519 keys that sign access tokens; the newest signs, all verify
//! - `phone-<id>.key`: AES-256 keys of phone numbers; the newest seals, all open
//! - `index.key`: the key of the hash by which phone numbers are found
//! - `session.key`: the key that proves refresh tokens and computes their successors

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};

/// All keys of this server.
pub struct Keys {
    /// By id; never empty.
    pub tokens: BTreeMap<u16, [u8; 32]>,
    /// By id; never empty.
    pub phones: BTreeMap<u16, [u8; 32]>,
    pub index: [u8; 32],
    pub session: [u8; 32],
}

/// Why the keys cannot be had. A server without its keys must not start with new ones: nothing sealed would open.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot use the key file {}: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot use {} as data_dir: {source}; expected a folder that may be written, or made", .path.display())]
    DataDir { path: PathBuf, source: io::Error },
    #[error("the key file {} does not hold 32 bytes in base64; restore it from its backup", .0.display())]
    Malformed(PathBuf),
    #[error("the key file {} may be read by others (mode {mode:o}), expected 0600; run: chmod 600 {}", .path.display(), .path.display())]
    TooOpen { path: PathBuf, mode: u32 },
    #[error("{} is missing while other keys are there; restore it from the backup of data_dir/keys", .0.display())]
    Missing(PathBuf),
}

impl Keys {
    /// Reads the keys under `data_dir/keys`, or makes them all where there is none yet.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, KeyError> {
        let folder = data_dir.join("keys");
        if fs::read_dir(&folder).map_or(true, |mut files| files.next().is_none()) {
            create_all(data_dir, &folder)?;
        }
        Ok(Self {
            tokens: numbered(&folder, "token")?,
            phones: numbered(&folder, "phone")?,
            index: read(&folder.join("index.key"))?,
            session: read(&folder.join("session.key"))?,
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Keys(tokens {:?}, phones {:?})",
            self.tokens.keys(),
            self.phones.keys()
        )
    }
}

/// Makes the first keys aside and renames their folder into place, so that a crash leaves either all of them or none.
fn create_all(data_dir: &Path, folder: &Path) -> Result<(), KeyError> {
    let aside = data_dir.join("keys.new");
    let in_folder = |source| KeyError::File {
        path: aside.clone(),
        source,
    };
    fs::create_dir_all(data_dir).map_err(|source| KeyError::DataDir {
        path: data_dir.to_owned(),
        source,
    })?;
    if aside.exists() {
        fs::remove_dir_all(&aside).map_err(in_folder)?;
    }
    fs::DirBuilder::new().mode(0o700).create(&aside).map_err(in_folder)?;
    for name in ["token-1.key", "phone-1.key", "index.key", "session.key"] {
        create(&aside.join(name))?;
    }
    fs::rename(&aside, folder)
        .and_then(|()| fs::File::open(data_dir)?.sync_all())
        .map_err(in_folder)?;
    tracing::warn!(
        keys = %folder.display(),
        "made new keys in {}: back this folder up, without it phone numbers cannot be read again",
        folder.display()
    );
    Ok(())
}

/// The keys `<kind>-<id>.key` by id; at least one must be there.
fn numbered(folder: &Path, kind: &str) -> Result<BTreeMap<u16, [u8; 32]>, KeyError> {
    let entries = fs::read_dir(folder).map_err(|source| KeyError::File {
        path: folder.to_owned(),
        source,
    })?;
    let mut keys = BTreeMap::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| {
            name.strip_prefix(kind)?
                .strip_prefix('-')?
                .strip_suffix(".key")?
                .parse()
                .ok()
        });
        if let Some(id) = id {
            keys.insert(id, read(&entry.path())?);
        }
    }
    if keys.is_empty() {
        return Err(KeyError::Missing(folder.join(format!("{kind}-1.key"))));
    }
    Ok(keys)
}

fn create(path: &Path) -> Result<(), KeyError> {
    let key: [u8; 32] = rand::random();
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(format!("{}\n", STANDARD.encode(key)).as_bytes())?;
            file.sync_all()
        })
        .map_err(|source| KeyError::File {
            path: path.to_owned(),
            source,
        })
}

fn read(path: &Path) -> Result<[u8; 32], KeyError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyError::Missing(path.to_owned()),
        _ => KeyError::File {
            path: path.to_owned(),
            source,
        },
    };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::TooOpen {
            path: path.to_owned(),
            mode,
        });
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let bytes = STANDARD.decode(text.trim()).ok();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| KeyError::Malformed(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_readable_by_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("deep/data");
        let first = Keys::load_or_create(&data_dir).unwrap();
        let again = Keys::load_or_create(&data_dir).unwrap();
        assert_eq!((first.tokens, first.phones), (again.tokens, again.phones));
        assert_eq!((first.index, first.session), (again.index, again.session));
        for file in fs::read_dir(data_dir.join("keys")).unwrap() {
            let mode = file.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_lost_key_stops_the_start_instead_of_being_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        Keys::load_or_create(folder.path()).unwrap();
        fs::remove_file(folder.path().join("keys/phone-1.key")).unwrap();
        let error = Keys::load_or_create(folder.path()).unwrap_err();
        assert!(error.to_string().contains("phone-1.key is missing"), "{error}");
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        Keys::load_or_create(folder.path()).unwrap();
        let path = folder.path().join("keys/index.key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            Keys::load_or_create(folder.path()),
            Err(KeyError::TooOpen { mode: 0o644, .. })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(matches!(
            Keys::load_or_create(folder.path()),
            Err(KeyError::Malformed(_))
        ));
    }

    #[test]
    fn a_second_key_is_found_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        Keys::load_or_create(folder.path()).unwrap();
        create(&folder.path().join("keys/phone-2.key")).unwrap();
        let keys = Keys::load_or_create(folder.path()).unwrap();
        assert_eq!(keys.phones.keys().copied().collect::<Vec<_>>(), [1, 2]);
        assert!(!format!("{keys:?}").contains(&STANDARD.encode(keys.index)));
    }
}
