//! Finds the PostgreSQL programs of this machine.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::EmbeddedError;
use crate::db::migrate::OLDEST_POSTGRESQL;

/// A folder with `initdb` and `postgres`, and their major version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: i32,
}

/// Where Debian and Ubuntu, Red Hat, and the others put them.
const ROOTS: [(&str, &str); 2] = [("/usr/lib/postgresql", "bin"), ("/usr", "bin")];

impl Binaries {
    /// Those of the given major version, for only they can read its files; without one, the newest that will do.
    pub(super) fn find(major: Option<i32>) -> Result<Self, EmbeddedError> {
        let mut found: Vec<Self> = candidates().into_iter().filter_map(|dir| Self::in_dir(&dir)).collect();
        found.sort_by_key(|binaries| binaries.major);
        let fits = |binaries: &Self| match major {
            Some(major) => binaries.major == major,
            None => binaries.major >= OLDEST_POSTGRESQL,
        };
        found.into_iter().rfind(fits).ok_or_else(|| EmbeddedError::NoBinaries {
            wanted: major.map_or_else(|| format!("{OLDEST_POSTGRESQL} or newer"), |major| major.to_string()),
            searched: "/usr/lib/postgresql/*/bin, /usr/pgsql-*/bin and PATH".to_owned(),
        })
    }

    fn in_dir(dir: &Path) -> Option<Self> {
        if !dir.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
        let major = major_version(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self {
            dir: dir.to_owned(),
            major,
        })
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for (root, inside) in ROOTS {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let named = root != "/usr" || entry.file_name().to_string_lossy().starts_with("pgsql-");
            if named {
                dirs.push(entry.path().join(inside));
            }
        }
    }
    dirs.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    dirs
}

/// Of `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`: 15.
fn major_version(text: &str) -> Option<i32> {
    let number = text.split_once(") ")?.1;
    let digits = number.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_of_releases_and_betas() {
        assert_eq!(
            major_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major_version("postgres (PostgreSQL) 18beta2\n"), Some(18));
        assert_eq!(major_version("something else"), None);
    }
}
