//! A database on another machine is reached encrypted, and only if it is the one that is meant.

use std::{
    error::Error,
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown},
    path::PathBuf,
    time::Duration,
};

use nix::unistd::{Uid, User};
use secrecy::SecretString;
use weighbridge::db::{Pool, embedded::Embedded, identity::OnRestore, migrate, pool::PoolSettings};

use crate::support::folder::Folder;

/// A PostgreSQL that takes only encrypted connections from the network.
struct Remote {
    _embedded: Embedded,
    password: String,
    /// Two addresses; only the first stands in its certificate.
    hosts: [String; 2],
    /// The authority that vouches for it.
    certificate: PathBuf,
    folder: Folder,
}

impl Remote {
    fn start() -> Self {
        let folder = Folder::new();
        // Loopback addresses that nobody else listens on, for the port belongs to the socket's name too.
        let [high, low]: [u8; 2] = rand::random();
        let hosts = [1, 2].map(|last| format!("127.{}.{low}.{last}", high.max(1)));
        let made = rcgen::generate_simple_self_signed(vec![hosts[0].clone()]).unwrap();
        let (certificate, key) = (folder.path().join("server.pem"), folder.path().join("server.key"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        if Uid::effective().is_root() {
            let owner = ["postgres", "nobody"]
                .into_iter()
                .find_map(|name| User::from_name(name).unwrap());
            chown(&key, Some(owner.unwrap().uid.as_raw()), None).unwrap();
        }
        let trust = folder.path().join("pg_hba.conf");
        fs::write(
            &trust,
            "local all all scram-sha-256\nhostssl all all all scram-sha-256\n",
        )
        .unwrap();
        let settings = [
            "fsync=off".to_owned(),
            "ssl=on".to_owned(),
            format!("listen_addresses={}", hosts.join(",")),
            format!("hba_file={}", trust.display()),
            format!("ssl_cert_file={}", certificate.display()),
            format!("ssl_key_file={}", key.display()),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        Self {
            _embedded: Embedded::start(folder.path(), &settings).unwrap(),
            password: fs::read_to_string(folder.path().join("postgres.password"))
                .unwrap()
                .trim()
                .to_owned(),
            hosts,
            certificate,
            folder,
        }
    }

    fn url(&self, host: &str, parameters: &str) -> SecretString {
        format!(
            "postgres://weighbridge:{}@{host}/weighbridge?{parameters}",
            self.password
        )
        .into()
    }
}

const SOON: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_database_is_reached_encrypted_if_its_certificate_is_vouched_for() {
    let remote = Remote::start();
    let [host, alias] = &remote.hosts;
    let vouched = format!("sslmode=require&sslrootcert={}", remote.certificate.display());
    let url = remote.url(host, &vouched);
    migrate::run(&url, SOON).unwrap();
    let pool = Pool::new(&url, PoolSettings::default(), OnRestore::ignore()).unwrap();
    drop(pool.get().await.unwrap());

    let stranger = rcgen::generate_simple_self_signed(vec![host.clone()]).unwrap();
    let others = remote.folder.path().join("others.pem");
    fs::write(&others, stranger.cert.pem()).unwrap();
    let other_authority = format!("sslmode=require&sslrootcert={}", others.display());
    for (host, parameters, why) in [
        (alias, vouched.as_str(), "invalid peer certificate"),
        (host, &other_authority, "invalid peer certificate"),
        (host, "sslmode=require", "invalid peer certificate"),
        (host, "sslmode=disable", "no encryption"),
    ] {
        let error = migrate::check(&remote.url(host, parameters), Duration::ZERO).unwrap_err();
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains(why), "{parameters}: {cause}");
    }
}
