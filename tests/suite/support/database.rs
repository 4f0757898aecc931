//! A database for each test, in one PostgreSQL for the whole run.
//!
//! The first test starts it and migrates a template; every other database is a copy of that, made in some 50 ms. It asks
//! for no password, whose hashing takes longer than most tests where it is compiled for debugging. Set
//! `WEIGHBRIDGE_TEST_DURABLE` where a test kills PostgreSQL and what was committed must be there afterwards.

use std::{
    env, fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock},
    thread,
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::error::SqlState;
use weighbridge::db::{Pool, embedded::Embedded, identity::OnRestore, migrate, pool::PoolSettings};

use super::folder::Folder;

/// A migrated database of its own, dropped with this value.
#[derive(Debug)]
pub struct Database {
    name: String,
}

/// Cuts a connection of the product that is at work, if there is one, and none of the test's own.
pub const CUT_ONE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'weighbridge' AND state <> 'idle' ORDER BY random() LIMIT 1";

/// From now on one slip in ten is refused at the end of its transaction, as by a conflict with another: it is made anew.
pub const FAIL_AT_TIMES: &str = "
    CREATE FUNCTION fail_at_times() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF random() < 0.1 THEN RAISE EXCEPTION 'could not serialize access, says the test' USING ERRCODE = '40001'; END IF;
      RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON slip DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
      EXECUTE FUNCTION fail_at_times();";

impl Database {
    /// With the schema of this version, and nothing in it but what migrations put there.
    pub fn new() -> Self {
        Self::copy_of("migrated")
    }

    /// Without any table.
    pub fn empty() -> Self {
        Self::copy_of("template1")
    }

    fn copy_of(template: &str) -> Self {
        let name = format!("test_{:016x}", rand::random::<u64>());
        cluster().execute(&format!(
            "CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"
        ));
        Self { name }
    }

    /// What `pg_dump` says of it now.
    pub fn backup(&self) -> Backup {
        let folder = Folder::new();
        let file = folder.path().join("backup");
        run(Command::new("pg_dump")
            .args(["--format=custom", "--file"])
            .arg(&file)
            .arg(self.url().expose_secret()));
        Backup { folder, file }
    }

    /// As it was when the backup was made. It is another database for PostgreSQL, and the same one for us.
    pub fn restored(backup: &Backup) -> Self {
        let database = Self::copy_of("template0");
        run(Command::new("pg_restore")
            .args(["--exit-on-error", "--no-owner", "--dbname"])
            .arg(database.url().expose_secret())
            .arg(&backup.file));
        database
    }

    pub fn url(&self) -> SecretString {
        cluster().url(&self.name)
    }

    /// As the server has it, of a few connections.
    pub fn pool(&self) -> Pool {
        let settings = PoolSettings {
            size: 4,
            ..PoolSettings::default()
        };
        Pool::new(&self.url(), settings, OnRestore::ignore()).unwrap()
    }

    /// A connection that takes any SQL.
    pub async fn connect(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(self.url().expose_secret(), tokio_postgres::NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        client
    }
}

impl Database {
    /// The number that a query answers.
    pub async fn count(&self, query: &str) -> i64 {
        self.connect().await.query_one(query, &[]).await.unwrap().get(0)
    }

    pub async fn execute(&self, statements: &str) {
        self.connect().await.batch_execute(statements).await.unwrap();
    }

    /// Waits until so many transactions wait for a lock.
    pub async fn until_locked_out(&self, count: i64) {
        let client = self.connect().await;
        let query = "SELECT count(*) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let deadline = Instant::now() + Duration::from_secs(10);
        while client.query_one(query, &[]).await.unwrap().get::<_, i64>(0) < count {
            assert!(Instant::now() < deadline, "fewer than {count} transactions wait");
        }
    }
}

/// A backup in a file.
#[derive(Debug)]
pub struct Backup {
    #[expect(dead_code, reason = "it removes the file")]
    folder: Folder,
    file: PathBuf,
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

impl Drop for Database {
    fn drop(&mut self) {
        if !thread::panicking() {
            cluster().remove(&self.name);
        }
    }
}

/// The PostgreSQL of this run.
struct Cluster {
    embedded: Embedded,
    /// One statement at a time: a database is not copied while another connection holds its template.
    turn: Mutex<()>,
    _cleaner: Child,
}

fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

impl Cluster {
    fn start() -> Self {
        let folder = Folder::new();
        let cleaner = clean_up_after(&folder);
        let trusting = folder.path().join("pg_hba.conf");
        fs::write(&trusting, "local all all trust\n").unwrap();
        let trusting = format!("hba_file={}", trusting.display());
        let lasting = ["max_connections=300", &trusting];
        let passing = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
        let durable = env::var_os("WEIGHBRIDGE_TEST_DURABLE").is_some();
        let settings = if durable {
            lasting.to_vec()
        } else {
            [&lasting[..], &passing].concat()
        };
        let cluster = Self {
            embedded: Embedded::start(folder.path(), &settings).unwrap(),
            turn: Mutex::new(()),
            _cleaner: cleaner,
        };
        // The cleaner removes it, for statics are not dropped.
        std::mem::forget(folder);
        cluster.execute("CREATE DATABASE migrated");
        migrate::run(&cluster.url("migrated"), Duration::from_secs(10)).unwrap();
        cluster
    }

    fn url(&self, database: &str) -> SecretString {
        let url = self.embedded.url().expose_secret();
        let (server, _) = url.rsplit_once('/').unwrap();
        format!("{server}/{database}").into()
    }

    /// PostgreSQL 15 may wait for ever for another test's connection: one whose statement is cancelled in the very instant in
    /// which it is told of the removal answers with its next statement alone. What is left then goes with the whole cluster.
    fn remove(&self, database: &str) {
        let removed = self.try_execute(&[
            "SET statement_timeout = '20s'",
            &format!("DROP DATABASE {database} WITH (FORCE)"),
        ]);
        if let Err(error) = removed {
            assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED), "{error}");
        }
    }

    fn execute(&self, statement: &str) {
        self.try_execute(&[statement]).unwrap();
    }

    /// Runs statements outside of all test databases, wherever the caller is.
    fn try_execute(&self, statements: &[&str]) -> Result<(), tokio_postgres::Error> {
        let turn = self.turn.lock();
        let done = thread::scope(|scope| {
            let run = || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let url = self.url("postgres");
                    let (client, connection) = tokio_postgres::connect(url.expose_secret(), tokio_postgres::NoTls)
                        .await
                        .unwrap();
                    tokio::spawn(connection);
                    for statement in statements {
                        client.batch_execute(statement).await?;
                    }
                    Ok(())
                })
            };
            scope.spawn(run).join().unwrap()
        });
        drop(turn);
        done
    }
}

/// Starts a process that waits until this one has ended, however it did; then stops PostgreSQL and removes its files.
fn clean_up_after(folder: &Folder) -> Child {
    use std::os::unix::process::CommandExt;

    let script = r#"
        cat > /dev/null
        postmaster=$(head -n 1 "$0/postgres/postmaster.pid")
        kill -QUIT "$postmaster"
        while kill -0 "$postmaster" 2> /dev/null; do sleep 0.05; done
        rm -rf "$0"
    "#;
    Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg(folder.path())
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
