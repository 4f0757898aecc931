//! The folder and the processes of a run. Whatever happens in between, [`Stage::clear`] ends and removes all of it; what a
//! run that was killed left behind, the next one in the same folder ends first.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    sync::mpsc,
    time::timeout,
};
use weighbridge_sim::{
    run::{
        Programs,
        folder::Folder,
        pid_file::{PidFile, end_leftover},
    },
    server::Login,
};

/// See the file's head.
#[derive(Debug)]
pub struct Stage {
    folder: Folder,
    pub programs: Programs,
    /// The version of PostgreSQL, once a server was started.
    pub postgresql: Option<String>,
    /// Where a server pushes to that is started from now on.
    firebase: Option<Firebase>,
    running: Vec<Running>,
}

/// A stand-in for Firebase that runs.
#[derive(Clone, Debug)]
pub struct Firebase {
    pub address: String,
    /// The service account's file.
    pub credentials: PathBuf,
}

/// How a program is started.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// Also the name of its log.
    pub name: &'static str,
    pub path: &'a Path,
    pub arguments: Vec<String>,
    pub environment: Vec<(&'static str, String)>,
}

/// A program that has said READY.
#[derive(Debug)]
pub struct Ready {
    pub pid: u32,
    pub address: String,
    /// What it prints from now on.
    pub lines: mpsc::UnboundedReceiver<Line>,
}

/// A line of a program's output, and when it was read.
#[derive(Clone, Debug)]
pub struct Line {
    pub text: String,
    pub at: Instant,
}

#[derive(Debug)]
struct Running {
    child: Child,
    pid_file: PidFile,
}

/// The names of the programs, and so of what a killed run may have left.
const NAMES: [&str; 3] = ["edge", "server", FIREBASE];
const FIREBASE: &str = "fcm";
const CREDENTIALS: &str = "fcm-credentials.json";
/// What lies in the folder beside the programs' data; ports of a run that was killed too.
const FILES: [&str; 10] = [
    CREDENTIALS,
    "fcm.log",
    "edge.log",
    "server.log",
    "edge.toml",
    "password",
    "port-0",
    "port-1",
    "port-2",
    "lock",
];
const READY_WITHIN: Duration = Duration::from_mins(1);

impl Stage {
    /// Takes the folder, and ends what an earlier run left in it.
    pub async fn open(path: &Path) -> anyhow::Result<Self> {
        let mut stage = Self {
            folder: Folder::open(path)?,
            programs: Programs::beside_this()?,
            postgresql: None,
            firebase: None,
            running: Vec::new(),
        };
        for name in NAMES {
            end_leftover(&stage.folder.path().join(name).with_extension("pid")).await?;
        }
        if stage.server_data().exists() {
            // Its PostgreSQL may have outlived a server that was killed: a server adopts it, and stops it with itself.
            stage.start_server().await?;
        }
        stage.strike().await?;
        Ok(stage)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn server_data(&self) -> PathBuf {
        self.path().join("server")
    }

    pub fn login(&self) -> anyhow::Result<Login> {
        Ok(self.folder.login()?)
    }

    /// Starts `weighbridge serve` with its private PostgreSQL on a free port.
    pub async fn start_server(&mut self) -> anyhow::Result<Ready> {
        let login = self.login()?;
        let server = self.programs.server.clone();
        self.start(Start {
            name: "server",
            path: &server,
            arguments: vec!["serve".to_owned()],
            environment: [
                self.pushing(),
                vec![
                    ("WEIGHBRIDGE__DATA_DIR", self.server_data().display().to_string()),
                    ("WEIGHBRIDGE__SERVER__LISTEN", "127.0.0.1:0".to_owned()),
                    ("WEIGHBRIDGE__BOOTSTRAP__ADMIN_LOGIN", login.login_id),
                    ("WEIGHBRIDGE__BOOTSTRAP__ADMIN_PASSWORD", login.password),
                    ("WEIGHBRIDGE__RATE_LIMIT__REQUESTS", "0".to_owned()),
                ],
            ]
            .concat(),
        })
        .await
    }

    /// Starts `weighbridge-sim fcm`; a server that is started from now on, until all is struck, pushes there.
    pub async fn start_firebase(&mut self) -> anyhow::Result<Firebase> {
        let credentials = self.path().join(CREDENTIALS);
        let program = self.programs.sim.clone();
        let ready = self
            .start(Start {
                name: FIREBASE,
                path: &program,
                arguments: vec![
                    FIREBASE.to_owned(),
                    "--credentials".to_owned(),
                    credentials.display().to_string(),
                ],
                environment: Vec::new(),
            })
            .await?;
        let firebase = Firebase {
            address: ready.address,
            credentials,
        };
        self.firebase = Some(firebase.clone());
        Ok(firebase)
    }

    fn pushing(&self) -> Vec<(&'static str, String)> {
        let Some(Firebase { address, credentials }) = &self.firebase else {
            return Vec::new();
        };
        vec![
            ("WEIGHBRIDGE__FCM__BASE_URL", format!("http://{address}")),
            ("WEIGHBRIDGE__FCM__CREDENTIALS_FILE", credentials.display().to_string()),
        ]
    }

    /// Starts a program, and waits until it is ready.
    pub async fn start(&mut self, start: Start<'_>) -> anyhow::Result<Ready> {
        let file = |ending| self.path().join(start.name).with_extension(ending);
        let log = file("log");
        let stderr = fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut child = Command::new(start.path)
            .args(&start.arguments)
            .envs(start.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            // Ctrl-C in the terminal is for us: we stop the programs in their order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", start.path.display()))?;
        let (Some(pid), Some(stdout)) = (child.id(), child.stdout.take()) else {
            bail!("the {} ended at once", start.name);
        };
        let pid_file = PidFile::write(file("pid"), pid)?;
        self.running.push(Running { child, pid_file });
        let (tell, mut lines) = mpsc::unbounded_channel();
        tokio::spawn(listen(stdout, tell));
        let address = timeout(READY_WITHIN, ready(&mut lines)).await.ok().flatten();
        let address = address.with_context(|| format!("the {} did not become ready:\n{}", start.name, tail(&log)))?;
        Ok(Ready { pid, address, lines })
    }

    /// Ends the programs, the last one first, and removes what they wrote.
    pub async fn strike(&mut self) -> anyhow::Result<()> {
        self.firebase = None;
        while let Some(Running { mut child, pid_file }) = self.running.pop() {
            // The child is ours: waiting for it takes its last trace from the table of processes.
            let (ended, _) = tokio::join!(pid_file.end(), child.wait());
            ended?;
        }
        for folder in ["server", "edge"].map(|name| self.path().join(name)) {
            if folder.exists() {
                fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
            }
        }
        Ok(())
    }

    /// Ends the run: no process and no file of it stays. What else lies in the folder is not ours, and stays.
    pub async fn clear(mut self) -> anyhow::Result<()> {
        self.strike().await?;
        let path = self.path().to_owned();
        for name in FILES {
            let file = path.join(name);
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", file.display()));
                }
                _ => {}
            }
        }
        match fs::remove_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}

async fn listen(stdout: ChildStdout, tell: mpsc::UnboundedSender<Line>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(text)) = lines.next_line().await {
        let line = Line {
            text,
            at: Instant::now(),
        };
        if tell.send(line).is_err() {
            // Nobody listens any more, but the program must not wait for its pipe either.
            while let Ok(Some(_)) = lines.next_line().await {}
        }
    }
}

async fn ready(lines: &mut mpsc::UnboundedReceiver<Line>) -> Option<String> {
    loop {
        let line = lines.recv().await?.text;
        if let Some(words) = line.strip_prefix("READY ") {
            let address = words.split_whitespace().find_map(|word| word.strip_prefix("addr="));
            return Some(address.unwrap_or_default().to_owned());
        }
    }
}

fn tail(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
