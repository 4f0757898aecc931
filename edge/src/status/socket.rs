//! The socket in the data directory, which `weighbridge-edge status` asks.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    os::{fd::AsRawFd, unix::net::UnixStream},
    path::Path,
    sync::Arc,
    time::Duration,
};

use actix::{Actor, AsyncContext, Context, WrapFuture};
use tokio::{
    io::AsyncWriteExt,
    net::UnixListener,
    time::{sleep, timeout},
};
use tracing::{error, warn};

use super::report::{ANSWER_WITHIN, Sources, report};

/// The socket's name in the data directory.
const SOCKET: &str = "status.sock";

/// Answers every connection with the status as one JSON object, and closes it.
#[derive(Debug)]
pub struct StatusSocket {
    sources: Arc<Sources>,
}

impl StatusSocket {
    pub const fn new(sources: Arc<Sources>) -> Self {
        Self { sources }
    }
}

impl Actor for StatusSocket {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.spawn(answer_all(Arc::clone(&self.sources)).into_actor(self));
    }
}

async fn answer_all(sources: Arc<Sources>) {
    let listener = match listen(&sources.directory) {
        Ok(listener) => listener,
        Err(error) => {
            error!(%error, "nobody can ask for the status: {} cannot be made", sources.directory.join(SOCKET).display());
            return;
        }
    };
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            // Too many open files, most likely: others need them more.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let text = report(&sources).await;
        if let Ok(Err(error)) = timeout(ANSWER_WITHIN, stream.write_all(text.as_bytes())).await {
            warn!(%error, "the status was not read");
        }
    }
}

/// A socket's path may have 107 bytes, and a data directory's may have more: it is reached by its descriptor.
fn short_path(directory: &File) -> String {
    format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd())
}

fn listen(directory: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(directory.join(SOCKET)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let directory = File::open(directory)?;
    UnixListener::bind(short_path(&directory))
}

/// The status of the edge that runs with this data directory, as JSON.
///
/// # Errors
/// Why there is none, and what to do.
pub fn ask(directory: &Path) -> Result<String, String> {
    let none = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            format!(
                "no weighbridge-edge runs with data_dir {}; start it with weighbridge-edge run",
                directory.display()
            )
        }
        _ => format!("{} cannot be asked: {error}", directory.join(SOCKET).display()),
    };
    let folder = File::open(directory).map_err(none)?;
    let mut stream = UnixStream::connect(short_path(&folder)).map_err(none)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN * 2)).map_err(none)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(none)?;
    Ok(text)
}
