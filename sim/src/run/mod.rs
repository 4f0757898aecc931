//! A whole yard on one machine: the server with its own PostgreSQL, an edge, and the yard, started and stopped in order.
//!
//! - [`child`]: a program that is kept running
//! - [`pid_file`]: what a run that was killed left behind is ended by the next
//! - [`folder`]: where everything of a run lies
//! - [`services`]: the services of others that it brings along

pub mod child;
pub mod folder;
pub mod pid_file;
mod services;

use std::{future::Future, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    time::{Instant, sleep, timeout},
};

use self::{
    child::{Program, Running},
    folder::Folder,
    services::Services,
};
use crate::{
    SimError,
    day::{
        self,
        books::{self, Totals},
    },
    indicator::Calibration,
    screen,
    server::Server,
    site::{Site, SiteSpec},
    terminal::say,
    truth::{self, ServerSide, Verdict},
};

/// Where the programs are that a run starts.
#[derive(Clone, Debug)]
pub struct Programs {
    pub server: PathBuf,
    pub edge: PathBuf,
    /// This one, for the services of others.
    pub sim: PathBuf,
}

/// A run, before it starts.
#[derive(Clone, Debug)]
pub struct Run {
    pub programs: Programs,
    pub site: SiteSpec,
    /// Where the server is to listen; the next free port where that one is taken.
    pub listen: SocketAddr,
    /// Further settings of the server.
    pub settings: Vec<(&'static str, String)>,
    pub shows: Shows,
}

/// What a run says while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// Each weighing, and what arrives at the services of others.
    Everything,
    /// How far the day is.
    Progress,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The last truck had gone; otherwise it was stopped.
    pub is_day_over: bool,
    /// None where truth and server could not be compared.
    pub verdict: Option<Verdict>,
    pub totals: Totals,
}

/// What runs, in the order in which it is started.
struct Parts {
    services: Services,
    server: Running,
    site: Option<Site>,
    edge: Option<Running>,
}

const SERVER: &str = "server";
const EDGE: &str = "edge";
const SERVER_READY_WITHIN: Duration = Duration::from_mins(2);
const EDGE_READY_WITHIN: Duration = Duration::from_secs(30);
const SENT_WITHIN: Duration = Duration::from_secs(4);
/// When a day is over, what is owed to others arrives within this.
const DELIVERED_WITHIN: Duration = Duration::from_secs(30);
const COMPARED_WITHIN: Duration = Duration::from_secs(4);

impl Programs {
    /// Beside the program that runs now.
    pub fn beside_this() -> Result<Self, SimError> {
        let this = std::env::current_exe().map_err(|source| SimError::io("find this program's folder", source))?;
        let beside = |name: &str| {
            let path = this.with_file_name(name);
            let missing = || {
                SimError::Usage(format!(
                    "{} is missing, expected it beside this program; `make build` makes it",
                    path.display()
                ))
            };
            if path.is_file() {
                Ok(path.clone())
            } else {
                Err(missing())
            }
        };
        Ok(Self {
            server: beside("weighbridge")?,
            edge: beside("weighbridge-edge")?,
            sim: beside("weighbridge-sim")?,
        })
    }
}

impl Run {
    /// Starts everything, shows the yard, and stops everything again when `stop` ends, the last truck has gone, or something
    /// cannot be mended.
    pub async fn until(self, stop: impl Future<Output = ()>) -> Result<Ended, SimError> {
        let folder = Folder::open(&self.site.folder)?;
        folder.forget_older_site()?;
        let data = folder.server_data();
        say(&format!(
            "starting the server with its own PostgreSQL; its data are in {}",
            data.display()
        ));
        for name in [EDGE, SERVER, services::ERP, services::FCM, services::SMS] {
            if pid_file::end_leftover(&folder.path().join(format!("{name}.pid"))).await? {
                say(&format!(
                    "the {name} of an earlier run was still there and has been ended"
                ));
            }
        }
        let services = Services::start(&self.programs.sim, &folder).await?;
        let server = self.server(&folder, services.environment()).await?.start();
        let mut parts = Parts {
            services,
            server,
            site: None,
            edge: None,
        };
        let worked = tokio::select! {
            worked = self.work(&folder, &mut parts) => worked.map(|()| true),
            () = stop => Ok(false),
        };
        let stopped = parts.stop(&folder, matches!(worked, Ok(true))).await;
        worked.and(stopped)
    }

    async fn work(&self, folder: &Folder, parts: &mut Parts) -> Result<(), SimError> {
        parts.server.ready().await?;
        let url = format!("http://{}", parts.server.address());
        say(&format!("setting up stations and the edge at {url}"));
        let client = Arc::new(Server::new(&url, folder.login()?)?);
        let site = parts.site.insert(self.site.clone().open(client).await?);
        let edge = parts.edge.insert(self.edge(folder, site).start());
        edge.ready().await?;
        say_welcome(&url, site, folder)?;
        site.clear_line().await?;
        let mut traffic = site.let_trucks_with_phones_in(folder.path()).await?;
        let lineup = traffic.lineup();
        let news = traffic.news();
        let showing = async {
            match self.shows {
                Shows::Everything => {
                    tokio::join!(screen::show(&site.yard, &lineup, news), parts.services.show());
                }
                Shows::Progress => day::show(site, &lineup).await,
            }
        };
        tokio::select! {
            ended = traffic.run() => ended,
            error = parts.server.failed() => Err(error),
            error = edge.failed() => Err(error),
            () = showing => Ok(()),
        }
    }

    async fn server(&self, folder: &Folder, services: Vec<(&'static str, String)>) -> Result<Program, SimError> {
        let login = folder.login()?;
        let listen = free_address(self.listen).await?;
        Ok(Program {
            name: SERVER,
            path: self.programs.server.clone(),
            arguments: vec!["serve".to_owned()],
            environment: [
                services,
                self.settings.clone(),
                vec![
                    ("WEIGHBRIDGE__DATA_DIR", folder.server_data().display().to_string()),
                    ("WEIGHBRIDGE__SERVER__LISTEN", listen.to_string()),
                    ("WEIGHBRIDGE__BOOTSTRAP__ADMIN_LOGIN", login.login_id),
                    ("WEIGHBRIDGE__BOOTSTRAP__ADMIN_PASSWORD", login.password),
                    // A simulated office asks more often than any person would.
                    ("WEIGHBRIDGE__RATE_LIMIT__REQUESTS", "0".to_owned()),
                ],
            ]
            .concat(),
            folder: folder.path().to_owned(),
            ready_within: SERVER_READY_WITHIN,
        })
    }

    fn edge(&self, folder: &Folder, site: &Site) -> Program {
        Program {
            name: EDGE,
            path: self.programs.edge.clone(),
            arguments: vec![
                "run".to_owned(),
                "--config".to_owned(),
                site.edge_toml.display().to_string(),
            ],
            environment: Vec::new(),
            folder: folder.path().to_owned(),
            ready_within: EDGE_READY_WITHIN,
        }
    }
}

impl Parts {
    /// Trucks are off the road already: compares, and then the edge before the server, so that nothing is left unsent.
    async fn stop(self, folder: &Folder, is_day_over: bool) -> Result<Ended, SimError> {
        say("\nstopping");
        let mut ended = Ended {
            is_day_over,
            verdict: None,
            totals: Totals::default(),
        };
        if let Some(site) = &self.site {
            let within = COMPARED_WITHIN + if is_day_over { DELIVERED_WITHIN } else { SENT_WITHIN };
            match timeout(within, compared(folder, site, &self.services, &mut ended)).await {
                Ok(Ok(verdict)) => {
                    say(&verdict.to_string());
                    ended.verdict = Some(verdict);
                }
                Ok(Err(error)) => say(&format!("truth and server are not compared: {error}")),
                Err(_) => say("truth and server are not compared: the database does not answer"),
            }
        }
        let edge = match self.edge {
            Some(edge) => edge.stop().await,
            None => Ok(()),
        };
        let server = self.server.stop().await;
        let services = self.services.stop().await;
        edge.and(server).and(services).map(|()| ended)
    }
}

fn say_welcome(url: &str, site: &Site, folder: &Folder) -> Result<(), SimError> {
    let login = folder.login()?;
    say(&format!(
        "READY pid={} addr={}\n\n  server    {url}\n  login     {}\n  password  {}\n  faults    {} takes commands, `help` \
         lists them\n  files     {} (truth.jsonl, server.log, edge.log, edge.toml)\n\n  Trucks arrive now. Ctrl-C stops all of it.\n",
        std::process::id(),
        url.trim_start_matches("http://"),
        login.login_id,
        login.password,
        site.control.address(),
        folder.path().display(),
    ));
    Ok(())
}

/// Looks again while something is missing: the edge may still be sending it, and the server delivering.
async fn compared(folder: &Folder, site: &Site, services: &Services, ended: &mut Ended) -> Result<Verdict, SimError> {
    let division = Calibration::default().division;
    let until = Instant::now()
        + if ended.is_day_over {
            DELIVERED_WITHIN
        } else {
            SENT_WITHIN
        };
    loop {
        let committed = truth::server::committed(&folder.path().join("edge.out"))?;
        let (truth, server) = (site.yard.truth(), ServerSide::read(&folder.database_url()?).await?);
        let mut verdict = truth::compare(&truth, &server, &committed, division);
        if ended.is_day_over {
            let received = services.received().await?;
            verdict
                .findings
                .extend(books::unfinished(&truth, &server, &received, site.closures()));
            ended.totals = Totals::of(&server, &received);
        }
        if verdict.is_clean() || Instant::now() > until {
            return Ok(verdict);
        }
        sleep(Duration::from_millis(300)).await;
    }
}

/// This address, or another port where it is taken.
async fn free_address(wanted: SocketAddr) -> Result<SocketAddr, SimError> {
    for address in [wanted, SocketAddr::new(wanted.ip(), 0)] {
        if let Ok(listener) = TcpListener::bind(address).await
            && let Ok(address) = listener.local_addr()
        {
            return Ok(address);
        }
    }
    Err(SimError::Usage(format!(
        "cannot listen at {wanted}, expected an address of this machine"
    )))
}

#[cfg(test)]
mod tests;
