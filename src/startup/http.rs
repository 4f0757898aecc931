//! HTTP as it is served: what handlers share, the listening socket, and the workers.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::available_parallelism,
};

use actix_http::HttpService;
use actix_rt::Arbiter;
use actix_server::ServerHandle;
use actix_service::map_config;
use actix_web::dev::AppConfig;
use chrono::TimeDelta;
use metrics_exporter_prometheus::PrometheusHandle;
use nix::sys::socket::{Backlog, listen};
use tokio::task::JoinHandle;
use weighbridge_supervision::Handle;

use super::{StartupError, actors::Actors};
use crate::{
    actors::repository::Repository,
    config::{ServerSettings, Settings},
    db::slip_share::ShareLimits,
    domain::phone_vault::PhoneVault,
    http::{
        Shared, app,
        auth::Auth,
        envelope::InFlight,
        hashing::Hasher,
        limit::RateLimit,
        live::{ByAuth, Door},
        refresh::RefreshKey,
        rules::{Reach, Rules},
        sessions::SignIn,
        throttle::Throttle,
        tokens::Tokens,
        upgrade,
    },
    keys::Keys,
    telemetry,
};

/// Connections that wait in the kernel to be accepted.
const BACKLOG: i32 = 4096;
/// Passwords that are hashed at once, at most.
const HASHES_AT_ONCE: usize = 2;

/// The HTTP server at work.
#[derive(Debug)]
pub(super) struct Running {
    address: SocketAddr,
    server: JoinHandle<io::Result<()>>,
    handle: ServerHandle,
    upkeep: JoinHandle<()>,
    in_flight: Arc<InFlight>,
}

/// Who knows access tokens.
pub(super) fn auth(
    settings: &Settings,
    keys: &Keys,
    repository: &Handle<Repository>,
) -> Result<Arc<Auth>, StartupError> {
    let auth = &settings.auth;
    let tokens = Tokens::new(&auth.issuer, &auth.audience, auth.access_token, &keys.tokens)?;
    Ok(Arc::new(Auth::new(tokens, repository.clone())))
}

/// What handlers share, made from the settings.
pub(super) fn shared(
    settings: &Settings,
    keys: &Keys,
    known: Arc<Auth>,
    repository: Handle<Repository>,
    actors: Actors,
    phones: Arc<PhoneVault>,
    metrics: PrometheusHandle,
) -> Shared {
    let auth = &settings.auth;
    let cores = available_parallelism().map_or(1, usize::from);
    let limit = &settings.rate_limit;
    Shared {
        rules: Arc::new(rules(settings)),
        door: Arc::new(Door::new(
            Arc::new(ByAuth(Arc::clone(&known))),
            settings.server.allowed_origins.clone(),
        )),
        auth: known,
        sign_in: Arc::new(SignIn {
            hasher: Hasher::new(auth.bcrypt_cost, cores.min(HASHES_AT_ONCE)),
            throttle: Throttle::default(),
            refresh: RefreshKey::new(keys.session),
            lifetime: span(auth.refresh_token),
            grace: span(auth.refresh_grace),
            most_sessions: i64::from(auth.sessions_per_user),
            temporary_password: span(auth.temporary_password),
        }),
        rate_limit: Arc::new(RateLimit::new(limit.requests, limit.window)),
        in_flight: Arc::default(),
        phones,
        repository,
        tree: actors.links.directory.tree().clone(),
        sessions: actors.sessions,
        links: actors.links,
        stations: actors.stations,
        edge_keys: Arc::default(),
        metrics,
    }
}

fn rules(settings: &Settings) -> Rules {
    let server = &settings.server;
    Rules {
        body_limit: server.body_limit,
        read_timeout: server.read_timeout,
        request_timeout: server.request_timeout,
        allowed_hosts: server.allowed_hosts.clone(),
        trusted_proxies: server.trusted_proxies.clone(),
        time_zone: settings.site.time_zone,
        call_deadline: settings.queue.call_deadline,
        reach: Reach {
            sms: settings.sms.base_url.is_some(),
            email: settings.mail.host.is_some(),
            limits: ShareLimits {
                by_driver: settings.share.per_driver.into(),
                to_recipient: settings.share.per_recipient.into(),
            },
        },
    }
}

fn span(duration: std::time::Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

impl Running {
    /// Binds the address of the settings and starts the workers.
    pub(super) fn bind(settings: &ServerSettings, shared: Shared) -> Result<Self, StartupError> {
        let listener = bound(settings.listen).map_err(|source| StartupError::Listen {
            address: settings.listen,
            source,
        })?;
        let address = listener.local_addr()?;
        let workers = match settings.workers {
            0 => available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let upkeep = tokio::spawn(telemetry::keep_metrics(shared.metrics.clone()));
        let in_flight = Arc::clone(&shared.in_flight);
        let (read_timeout, keep_alive) = (settings.read_timeout, settings.keep_alive);
        let started = Arc::new(AtomicUsize::new(0));
        let server = actix_server::Server::build()
            .workers(workers)
            .max_concurrent_connections(settings.connections_per_worker)
            .shutdown_timeout(settings.drain.as_secs())
            .disable_signals()
            .listen("http", listener, move || {
                // It holds the sockets of requests and of edges: when it is frozen, the process has to end.
                let number = started.fetch_add(1, Ordering::Relaxed) + 1;
                shared.tree.bind(format!("http-{number}"), Arbiter::current());
                let app = || map_config(app(&shared), |()| AppConfig::default());
                HttpService::build()
                    .upgrade(upgrade::service(app(), shared.sessions.clone()))
                    .client_request_timeout(read_timeout)
                    .client_disconnect_timeout(read_timeout)
                    .keep_alive(keep_alive)
                    .finish(app())
                    .tcp()
            })?
            .run();
        Ok(Self {
            address,
            handle: server.handle(),
            server: tokio::spawn(server),
            upkeep,
            in_flight,
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.count()
    }

    /// Waits for a server that ends by itself, which it should not.
    pub(super) async fn ended(&mut self) -> io::Result<()> {
        (&mut self.server).await.map_err(io::Error::other)?
    }

    /// Closes the listening socket; connections that are open go on. The task is over when they have ended, idle ones too.
    pub(super) fn stop_accepting(&self) -> JoinHandle<()> {
        tokio::spawn(self.handle.stop(true))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.upkeep.abort();
        self.server.abort();
    }
}

/// A listening socket with room for a burst of connections.
fn bound(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    // The standard library asks for 128; asking again replaces that.
    listen(&listener, Backlog::new(BACKLOG)?)?;
    Ok(listener)
}
