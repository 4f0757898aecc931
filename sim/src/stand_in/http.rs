//! One HTTP server for every stand-in: it takes a request, fails as it was told or lets the service answer, and writes both
//! down. HTTP/1.1, and HTTP/2 without TLS for whoever begins with it.
//!
//! `GET /received?since=0&wait=5` answers what came, a line of JSON each; with `wait` it waits so many seconds for a line.

use std::{fmt::Debug, net::SocketAddr, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::{StatusCode, header::HeaderMap},
    web::{self, Bytes, Data},
};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;
use tokio::{net::TcpListener, time::sleep};

use super::{
    book::{Book, Entry},
    trouble::Trouble,
};
use crate::{
    SimError,
    control::{Command, Control, HELP, Obeys},
};

/// A service of somebody else, as far as a client can tell.
pub trait Service: Debug + Send + Sync + 'static {
    /// The ways in which it can be told to fail, by the names that commands give them.
    type Failure: Copy + Debug + FromStr<Err = SimError> + Send + Sync + 'static;

    /// Answers as the real one would.
    fn answer(&self, request: &Request) -> Answer;

    /// Whether a request of this kind can fail so.
    fn concerns(&self, how: Self::Failure, request: &Request) -> bool;

    /// Fails so.
    fn fail(&self, how: Self::Failure, request: &Request) -> Reply;
}

/// What a client sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub at: DateTime<Utc>,
    pub method: String,
    /// With its query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An answer as it goes out, and what the service found out about the request.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
    /// For the book alone.
    pub note: Value,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Reply {
    Say(Answer),
    /// It is taken, and never answered.
    Silence,
    /// It is done, and its answer is lost: the connection breaks in the middle of it.
    BreakOff(Answer),
    /// A byte a second.
    Drip(Answer),
    /// 200 with a page for people.
    Garbage,
    /// 200 with ten gigabytes.
    Endless,
}

/// How a stand-in is started.
#[derive(Clone, Debug)]
pub struct Setup {
    pub listen: SocketAddr,
    pub control: SocketAddr,
    /// Where what came is written too.
    pub record: Option<PathBuf>,
    /// How long each answer takes.
    pub delay: Duration,
}

/// A stand-in that serves. Dropping it closes it.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    control: Control,
    server: ServerHandle,
}

/// What its workers share.
#[derive(Debug)]
struct Desk<S: Service> {
    service: S,
    trouble: Arc<Trouble<S::Failure>>,
    book: Arc<Book>,
    delay: Duration,
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: usize,
    /// Seconds.
    #[serde(default)]
    wait: u64,
}

/// Ten gigabytes in all.
const ENDLESS_CHUNK: usize = 64 * 1024;
const ENDLESS_CHUNKS: usize = 160_000;
const LARGEST_BODY: usize = 1 << 20;
const LONGEST_WAIT: u64 = 60;
const LONGEST_SILENCE: Duration = Duration::from_mins(10);
/// Beyond what clients keep a connection idle for.
const KEEP_ALIVE: Duration = Duration::from_mins(5);

impl Setup {
    /// Serves what `service` makes of the address that was taken.
    pub async fn serve<S: Service>(
        self,
        trouble: Trouble<S::Failure>,
        service: impl FnOnce(SocketAddr) -> S,
    ) -> Result<StandIn, SimError> {
        let cannot = |source| SimError::io(format!("listen at {}", self.listen), source);
        let listener = TcpListener::bind(self.listen).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let trouble = Arc::new(trouble);
        let book = Arc::new(Book::open(self.record.as_deref())?);
        let desk = Data::new(Desk {
            service: service(address),
            trouble: Arc::clone(&trouble),
            book: Arc::clone(&book),
            delay: self.delay,
        });
        let book = Data::from(book);
        let app = move || {
            App::new()
                .app_data(desk.clone())
                .app_data(book.clone())
                .app_data(web::PayloadConfig::new(LARGEST_BODY))
                .route("/received", web::get().to(received))
                .default_service(web::to(take::<S>))
        };
        let server = HttpServer::new(app)
            .workers(1)
            .keep_alive(KEEP_ALIVE)
            .disable_signals()
            .listen_auto_h2c(listener.into_std().map_err(cannot)?)
            .map_err(cannot)?
            .run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(StandIn {
            address,
            control: Control::start(self.control, Arc::new(Told(trouble))).await?,
            server: handle,
        })
    }
}

impl StandIn {
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    pub const fn control(&self) -> SocketAddr {
        self.control.address()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // The command to stop leaves at once; only its end would have to be waited for.
        drop(self.server.stop(false));
    }
}

async fn take<S: Service>(asked: HttpRequest, body: Bytes, desk: Data<Desk<S>>) -> HttpResponse {
    let request = Request {
        at: Utc::now(),
        method: asked.method().to_string(),
        // Over HTTP/2 the whole address comes with it.
        path: asked
            .uri()
            .path_and_query()
            .map_or_else(String::new, ToString::to_string),
        headers: asked.headers().clone(),
        body,
    };
    let failure = desk.trouble.draw(|how| desk.service.concerns(how, &request));
    let reply = match failure {
        Some(how) => desk.service.fail(how, &request),
        None => Reply::Say(desk.service.answer(&request)),
    };
    let (status, note) = match &reply {
        Reply::Say(answer) => (Some(answer.status), answer.note.clone()),
        Reply::BreakOff(answer) => (None, answer.note.clone()),
        Reply::Drip(_) | Reply::Garbage | Reply::Endless => (Some(200), Value::Null),
        Reply::Silence => (None, Value::Null),
    };
    desk.book.write(&Entry {
        at: request.at,
        what: format!("{} {}", request.method, request.path),
        status,
        failed: failure.map(|how| format!("{how:?}")),
        body: request.shown_body(),
        note,
    });
    if !desk.delay.is_zero() {
        sleep(desk.delay).await;
    }
    match reply {
        Reply::Say(answer) => answer.head().json(answer.body),
        Reply::BreakOff(answer) => answer.head().streaming(stream::iter([
            Ok(Bytes::from_static(b"{")),
            Err(std::io::Error::other("broken off, as it was told to")),
        ])),
        Reply::Drip(answer) => {
            let text = answer.body.to_string().into_bytes();
            answer.head().streaming(stream::iter(text).then(|byte| async move {
                sleep(Duration::from_secs(1)).await;
                Ok::<_, std::io::Error>(Bytes::copy_from_slice(&[byte]))
            }))
        }
        Reply::Garbage => HttpResponse::Ok()
            .content_type("text/html")
            .body("<html><h1>It works!</h1></html>"),
        Reply::Endless => {
            let chunk = Bytes::from(vec![b' '; ENDLESS_CHUNK]);
            let chunks = stream::iter(std::iter::repeat_n(chunk, ENDLESS_CHUNKS));
            HttpResponse::Ok()
                .content_type("application/json")
                .streaming(chunks.map(Ok::<_, std::io::Error>))
        }
        Reply::Silence => {
            sleep(LONGEST_SILENCE).await;
            HttpResponse::GatewayTimeout().finish()
        }
    }
}

async fn received(web::Query(asked): web::Query<Since>, book: Data<Book>) -> HttpResponse {
    let wait = Duration::from_secs(asked.wait.min(LONGEST_WAIT));
    HttpResponse::Ok()
        .content_type("application/jsonl")
        .body(book.since(asked.since, wait).await)
}

/// Answers `GET /received` out of a book whose service speaks no HTTP, at the address that is returned, until the process
/// ends.
pub async fn show(book: Arc<Book>) -> Result<SocketAddr, SimError> {
    let cannot = |source| SimError::io("listen for who reads the book", source);
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let book = Data::from(book);
    let app = move || {
        App::new()
            .app_data(book.clone())
            .route("/received", web::get().to(received))
    };
    let server = HttpServer::new(app).workers(1).disable_signals();
    let server = server
        .listen(listener.into_std().map_err(cannot)?)
        .map_err(cannot)?
        .run();
    tokio::spawn(server);
    Ok(address)
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The path without its query.
    pub fn place(&self) -> &str {
        self.path.split('?').next().unwrap_or(&self.path)
    }

    /// Whether its body is JSON, by its own account.
    pub fn is_json(&self) -> bool {
        self.header("content-type")
            .is_some_and(|kind| kind.starts_with("application/json"))
    }

    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    fn shown_body(&self) -> Value {
        self.json()
            .unwrap_or_else(|| Value::String(String::from_utf8_lossy(&self.body).into_owned()))
    }
}

impl Answer {
    pub const fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
            note: Value::Null,
        }
    }

    pub fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    pub fn noting(mut self, note: Value) -> Self {
        self.note = note;
        self
    }

    fn head(&self) -> actix_web::HttpResponseBuilder {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut head = HttpResponse::build(status);
        for (name, value) in &self.headers {
            head.insert_header((*name, value.as_str()));
        }
        head
    }
}

/// What the control port tells.
#[derive(Debug)]
pub struct Told<F>(pub Arc<Trouble<F>>);

impl<F: Copy + FromStr<Err = SimError> + Send + Sync + 'static> Obeys for Told<F> {
    fn obey(&self, command: &Command) -> Result<String, SimError> {
        match command {
            Command::Help => Ok(HELP.to_owned()),
            Command::Fail(how, often) => {
                self.0.add(how.parse()?, *often);
                Ok(String::new())
            }
            Command::FailNoMore => {
                self.0.clear();
                Ok(String::new())
            }
            _ => Err(SimError::Usage(
                "this is a service's stand-in, expected fail HOW [TIMES|SHARE|always] or fail off".to_owned(),
            )),
        }
    }
}

/// An enum of ways to fail, and the names that commands give them.
#[macro_export]
macro_rules! failures {
    ($(#[$about:meta])* $type:ident { $($(#[$doc:meta])* $name:ident = $text:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $($(#[$doc])* $name,)* }

        impl $type {
            /// As commands name them.
            pub const NAMES: &[&str] = &[$($text,)*];
        }

        impl std::str::FromStr for $type {
            type Err = $crate::SimError;

            fn from_str(text: &str) -> Result<Self, $crate::SimError> {
                match text {
                    $($text => Ok(Self::$name),)*
                    _ => Err($crate::SimError::Usage(format!(
                        "{text:?} is no way to fail here, expected one of: {}",
                        Self::NAMES.join(", ")
                    ))),
                }
            }
        }
    };
}
