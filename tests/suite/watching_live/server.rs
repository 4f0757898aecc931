//! The live part of the server alone: its routes in an App, a tree, and stand-ins for authentication and the database.

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix::{Actor, ActorContext, StreamHandler};
use actix_http::HttpService;
use actix_server::ServerHandle;
use actix_service::map_config;
use actix_web::{
    App, HttpRequest, HttpResponse,
    dev::AppConfig,
    web::{self, Data},
};
use actix_web_actors::ws;
use chrono::Utc;
use futures_util::{FutureExt, future::BoxFuture};
use parking_lot::Mutex;
use uuid::Uuid;
use weighbridge::{
    actors::{
        live::{Json, Lives, Looked, Source, StationChanged, WeighingChanged, WeightChanged},
        session::{Admitted, Refused, Sessions, VerifyToken, Watcher},
    },
    config::LiveSettings,
    http::{
        live::{Door, issue_ticket, open},
        upgrade,
    },
};
use weighbridge_supervision::{Policy, Tree};

pub const ALLOWED_ORIGIN: &str = "https://yard.example.kr";

pub struct Server {
    pub port: u16,
    pub lives: Lives,
    pub tree: Tree,
    pub database: Arc<Database>,
    running: ServerHandle,
}

/// What the server looks up.
#[derive(Debug)]
pub struct Database {
    pub looked: Mutex<Looked>,
    pub revoked: Mutex<Vec<Uuid>>,
    /// Makes the next look panic.
    pub broken: Mutex<bool>,
}

impl Source for Database {
    fn look(&self) -> BoxFuture<'static, Looked> {
        assert!(!std::mem::take(&mut *self.broken.lock()), "the look was to panic");
        let looked = self.looked.lock().clone();
        async { looked }.boxed()
    }

    fn revoked(&self, _: Vec<Uuid>) -> BoxFuture<'static, Vec<Uuid>> {
        let revoked = self.revoked.lock().clone();
        async { revoked }.boxed()
    }
}

/// Reads tokens such as `staff-1:60`, `driver-7:60`: role, user's id, seconds.
#[derive(Debug)]
struct Tokens;

impl VerifyToken for Tokens {
    fn verify(&self, token: &str) -> BoxFuture<'static, Result<Admitted, Refused>> {
        assert_ne!(token, "panic", "the token was to panic");
        let read = || {
            let (name, seconds) = token.split_once(':')?;
            let (role, user) = name.split_once('-')?;
            let user: i64 = user.parse().ok()?;
            let watcher = if role == "driver" {
                Watcher::Driver(user)
            } else {
                Watcher::Staff
            };
            let expires_at = Utc::now() + Duration::from_secs(seconds.parse().ok()?);
            Some(Admitted {
                watcher,
                user,
                login: login_of(user),
                expires_at,
            })
        };
        let verdict = match token {
            "expired" => Err(Refused::Expired),
            "revoked" => Err(Refused::Revoked),
            "temporary" => Err(Refused::PasswordChangeRequired),
            _ => read().ok_or(Refused::Invalid),
        };
        async { verdict }.boxed()
    }
}

pub fn login_of(user: i64) -> Uuid {
    Uuid::from_u128(u128::from(user.unsigned_abs()))
}

/// An actor as that of an edge's link: it says what it hears.
struct Echo;

impl Actor for Echo {
    type Context = ws::WebsocketContext<Self>;
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Echo {
    fn handle(&mut self, message: Result<ws::Message, ws::ProtocolError>, context: &mut Self::Context) {
        match message {
            Ok(ws::Message::Text(text)) => {
                assert_ne!(text, "panic", "it was to panic");
                context.text(text);
            }
            Ok(ws::Message::Close(reason)) => {
                context.close(reason);
                context.stop();
            }
            _ => {}
        }
    }
}

async fn echo(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, actix_web::Error> {
    ws::start(Echo, &request, payload)
}

async fn length(body: web::Bytes) -> String {
    body.len().to_string()
}

impl Server {
    pub async fn start() -> Self {
        let database = Arc::new(Database {
            looked: Mutex::new(nothing()),
            revoked: Mutex::default(),
            broken: Mutex::default(),
        });
        let tree = Tree::new(Policy::default(), |why| panic!("{why}")).unwrap();
        let source: Arc<dyn Source> = Arc::<Database>::clone(&database);
        let settings = LiveSettings {
            count: 1,
            tick: Duration::from_millis(50),
        };
        let lives = Lives::start(&tree, &source, chrono_tz::Asia::Seoul, &settings).unwrap();
        let sessions = Sessions::new(&tree, lives.clone(), Arc::new(Tokens)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let running = serve(listener, sessions);
        let server = Self {
            port,
            lives,
            tree,
            database,
            running,
        };
        server.watch_until_up().await;
        server
    }

    async fn watch_until_up(&self) {
        let mut status = self.tree.watch("live-1").unwrap();
        let up = status.wait_for(|status| status.state == weighbridge_supervision::State::Running);
        tokio::time::timeout(Duration::from_secs(10), up)
            .await
            .unwrap()
            .unwrap();
    }

    /// Announces a weight.
    pub fn weigh(&self, station: i64, kilograms: i64) {
        self.announce(station, &format!(r#"{{"station_id":{station},"weight":{kilograms}}}"#));
    }

    /// Announces a weight with so long a remark that a few of them fill a socket.
    pub fn weigh_at_length(&self, station: i64, kilograms: i64) {
        let remark = "x".repeat(4000);
        let weight = format!(r#"{{"station_id":{station},"weight":{kilograms},"remark":"{remark}"}}"#);
        self.announce(station, &weight);
    }

    fn announce(&self, station: i64, weight: &str) {
        let weight = json(weight);
        let changed = WeightChanged {
            station,
            site: site_of(station),
            weight,
        };
        self.lives.listener().announce(changed);
    }

    pub fn weighing(&self, record: i64, state: &str) {
        self.lives.listener().announce(weighing(record, state));
    }

    pub async fn stop(&self) {
        self.lives.close_all().await;
        self.running.stop(true).await;
    }
}

fn serve(listener: TcpListener, sessions: Sessions) -> ServerHandle {
    listener.set_nonblocking(true).unwrap();
    let door = Data::new(Door::new(Arc::new(Tokens), vec![ALLOWED_ORIGIN.to_owned()]));
    let server = actix_server::Server::build()
        .workers(1)
        .disable_signals()
        .listen("http", listener, move || {
            let app = || {
                let app = App::new()
                    .app_data(door.clone())
                    .service(web::scope("/api/v1").service(issue_ticket).service(open))
                    .route("/echo", web::get().to(echo))
                    .route("/length", web::post().to(length));
                map_config(app, |()| AppConfig::default())
            };
            HttpService::build()
                .upgrade(upgrade::service(app(), sessions.clone()))
                .finish(app())
                .tcp()
        })
        .unwrap()
        .run();
    let running = server.handle();
    actix_web::rt::spawn(server);
    running
}

/// Every topic is known and empty.
pub fn nothing() -> Looked {
    Looked {
        stations: Some(Vec::new()),
        queues: Some(Vec::new()),
        weighings: Some(Vec::new()),
        summaries: Some(Vec::new()),
        positions: Some(Vec::new()),
    }
}

pub fn json(text: &str) -> Json {
    Json::of(&serde_json::from_str::<serde_json::Value>(text).unwrap()).unwrap()
}

/// Stations from 100 on are at site 2, all others at site 1.
pub fn site_of(station: i64) -> i64 {
    if station < 100 { 1 } else { 2 }
}

pub fn station(station: i64, name: &str) -> StationChanged {
    StationChanged {
        station,
        site: site_of(station),
        item: json(&format!(r#"{{"id":{station},"name":{name:?}}}"#)),
    }
}

pub fn weighing(record: i64, state: &str) -> WeighingChanged {
    WeighingChanged {
        site: 1,
        record,
        item: json(&format!(r#"{{"id":{record},"status":{state:?}}}"#)),
    }
}
