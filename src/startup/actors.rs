//! Starts the actors, in the order in which they need each other.

use std::sync::Arc;

use chrono::TimeDelta;
use uuid::Uuid;
use weighbridge_protocol::Kilograms;
use weighbridge_supervision::{Handle, Listener, Spec, Tree};

use super::{StartupError, reach};
use crate::{
    actors::{
        courier::{Carrier, Couriers, Route},
        directory::Directory,
        edge_link::LinkServices,
        erp_sync::ErpSync,
        housekeeping::{Chores, Housekeeping},
        live::{Lives, Source},
        repository::Repository,
        session::{Sessions, VerifyToken},
        stations::{Screens, Stations},
        topics::Topics,
    },
    clients::erp,
    config::Settings,
    db::{
        Runner,
        site::ActiveSites,
        station_view::{StationView, StationViews},
        upkeep::COMING_MONTHS,
    },
    domain::phone_vault::PhoneVault,
};

/// What HTTP hands requests and sockets to.
#[derive(Clone, Debug)]
pub(super) struct Actors {
    pub(super) lives: Lives,
    pub(super) sessions: Sessions,
    pub(super) links: LinkServices,
    pub(super) stations: Stations,
}

/// What there is to start actors for.
#[derive(Debug)]
pub(super) struct Ground {
    sites: Vec<i64>,
    stations: Vec<StationView>,
}

impl Ground {
    /// Reads it, and makes the partitions that this month's records need.
    pub(super) async fn read(runner: &Runner) -> Result<Self, StartupError> {
        runner.run(COMING_MONTHS).await?;
        Ok(Self {
            sites: runner.run(ActiveSites).await?,
            stations: runner.run(StationViews).await?,
        })
    }
}

impl Actors {
    /// Starts supervisors, the live stream, and what stands for each site and station there is.
    pub(super) fn start(
        tree: &Tree,
        repository: &Handle<Repository>,
        ground: Ground,
        verify: Arc<dyn VerifyToken>,
        phones: &Arc<PhoneVault>,
        settings: &Settings,
    ) -> Result<Self, StartupError> {
        for supervisor in ["stations", "links", "delivery"] {
            tree.supervisor(supervisor)?;
        }
        let directory = Directory::new(tree.clone());
        let topics: Arc<dyn Source> = Arc::new(Topics {
            directory: directory.clone(),
            repository: repository.clone(),
        });
        let lives = Lives::start(tree, &topics, settings.site.time_zone, &settings.live)?;
        let sessions = Sessions::new(tree, lives.clone(), verify)?;
        let min_net = Kilograms::from_hundredths(i64::from(settings.weighing.min_net_kg) * 100);
        let stations = Stations {
            directory: directory.clone(),
            min_net,
            repository: repository.clone(),
            screens: Screens {
                weights: lives.listener(),
                stations: lives.listener(),
                weighings: lives.listener(),
                lines: lives.listener(),
                drivers: lives.listener(),
            },
            look_every: settings.queue.look_every,
            call_deadline: TimeDelta::from_std(settings.queue.call_deadline).unwrap_or(TimeDelta::MAX),
            #[cfg(feature = "chaos")]
            poison: crate::actors::chaos::Poison::default(),
        };
        start_couriers(tree, repository, phones, settings)?;
        start_housekeeping(tree, repository, &directory, settings)?;
        for site in ground.sites {
            stations.start_site(site)?;
        }
        for view in ground.stations {
            stations.start_station(view.id, view.site_id)?;
        }
        let links = LinkServices {
            directory,
            repository: repository.clone(),
            min_net,
            holders: Arc::default(),
            // Before the time in which any query must be answered is over.
            jump: i32::try_from(settings.slip.restore_jump).unwrap_or(i32::MAX),
            patience: settings.database.query_timeout * 4 / 5,
        };
        Ok(Self {
            lives,
            sessions,
            links,
            stations,
        })
    }
}

/// One for each way out; it has a carrier where its settings say where to.
fn start_couriers(
    tree: &Tree,
    repository: &Handle<Repository>,
    phones: &Arc<PhoneVault>,
    settings: &Settings,
) -> Result<(), StartupError> {
    let couriers = Couriers {
        repository: repository.clone(),
        settings: settings.delivery.clone(),
        owner: node_name(),
    };
    let erp = erp::of(&settings.erp)?.map(|erp| Arc::new(ErpSync::new(erp)) as Arc<dyn Carrier>);
    couriers.start(tree, Route::Erp, erp)?;
    couriers.start(tree, Route::Phones, Some(reach::push(settings, repository)?))?;
    couriers.start(tree, Route::Messages, reach::messenger(settings, phones, repository)?)?;
    Ok(())
}

fn start_housekeeping(
    tree: &Tree,
    repository: &Handle<Repository>,
    directory: &Directory,
    settings: &Settings,
) -> Result<(), StartupError> {
    let directory = directory.clone();
    let chores = Arc::new(Chores {
        repository: repository.clone(),
        settings: settings.leader.clone(),
        node: node_name(),
        owed: Listener::new("erp-sync", move |_| {
            directory.announce_owed();
            Ok(())
        }),
    });
    tree.start(Spec::new("housekeeping", "housekeeping").on("delivery"), move || {
        Housekeeping::new(Arc::clone(&chores))
    })?;
    Ok(())
}

/// This process among others that share a database: its machine, its number, and a word that no other process has.
fn node_name() -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine: String = machine.trim().chars().take(60).collect();
    let own = Uuid::new_v4().simple().to_string();
    format!("{machine}-{}-{}", std::process::id(), &own[..8])
}
