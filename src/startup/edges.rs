//! Gateways that are set up without HTTP: `weighbridge edge create`.

use super::{StartupError, with_database};
use crate::{
    config::Settings,
    db::{DbError, edge_gateway::AddEdge, site::SiteChosen},
    domain::{edge_key::EdgeSecret, text::Line},
};

/// A gateway to be set up.
#[derive(Debug)]
pub struct NewEdge {
    pub name: String,
    pub stations: Vec<i64>,
    /// None: the only site.
    pub site: Option<i64>,
}

/// Why a gateway is not set up.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    #[error("the name {0:?} cannot be used, expected 1 to 50 printable characters")]
    Name(String),
    #[error("the site is not clear, expected --site with the id of one that is active")]
    Site,
    #[error("the name is taken, or a station does not exist or is another edge's: {0}")]
    Refused(String),
}

/// Sets it up and answers its API key. Needs an actix system on no thread: it makes its own. Blocks.
pub fn add_edge(settings: &Settings, new: NewEdge) -> Result<String, StartupError> {
    let name = Line::<50>::parse(&new.name)
        .map_err(|_| EdgeError::Name(new.name.clone()))?
        .into_string();
    actix_rt::System::new().block_on(with_database(settings, async |runner| {
        let site_id = runner.run(SiteChosen(new.site)).await?.ok_or(EdgeError::Site)?;
        let secret = EdgeSecret::new(rand::random());
        let edge = AddEdge {
            name,
            site_id,
            station_ids: new.stations,
            allowed_addresses: Vec::new(),
            secret: secret.clone(),
            author: None,
        };
        match runner.run(edge).await {
            Ok(added) => Ok(secret.reveal(added.edge.id)),
            Err(error @ (DbError::NotFound | DbError::Conflict { .. })) => {
                Err(EdgeError::Refused(error.to_string()).into())
            }
            Err(error) => Err(error.into()),
        }
    }))
}
