//! Who speaks for an edge: extractors that read `X-API-Key`. 401 without detail for a wrong key, 429 for who guesses.
//! A right key is never refused for what others do at its address: 256 random bits cannot be guessed.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use futures_util::future::LocalBoxFuture;
use ipnet::IpNet;
use parking_lot::Mutex;
use weighbridge_supervision::Handle;

use super::{auth::caller_address, code::Code, error::ApiError, guesses::Guesses};
use crate::{
    actors::repository::{Queries, Repository},
    db::{
        DbError,
        edge_key::{EdgeOfKey, KnownEdge, key_hash},
    },
};

/// The header that carries the key.
const KEY_HEADER: &str = "x-api-key";
/// What is said to who is refused, whatever is wrong.
const EXPECTED: &str = "an X-API-Key that holds, from an address that its edge may come from";
/// How long a key that was found good counts without asking again, where that is allowed.
const FRESH: Duration = Duration::from_secs(2);
/// Keys remembered before all are forgotten and learnt again.
const REMEMBERED: usize = 10_000;

/// The edge whose key a request carries, as the database has it now.
#[derive(Clone, Debug)]
pub struct Edge(pub KnownEdge);

/// The edge whose key a request carries, as it was at most two seconds ago: for requests that come in streams.
#[derive(Clone, Debug)]
pub struct PostingEdge(pub KnownEdge);

/// What is known of keys and of who tried them; an `app_data` of the App.
#[derive(Debug, Default)]
pub struct EdgeKeys {
    guesses: Guesses,
    proved: Mutex<HashMap<[u8; 32], (Instant, KnownEdge)>>,
}

impl FromRequest for Edge {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let asking = Asking::of(request);
        Box::pin(async move { asking?.edge().await.map(Self) })
    }
}

impl FromRequest for PostingEdge {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let asking = Asking::of(request);
        Box::pin(async move { asking?.edge_of_late().await.map(Self) })
    }
}

/// A request that claims to come from an edge.
struct Asking {
    /// None where there is no key.
    key_hash: Option<[u8; 32]>,
    address: IpAddr,
    repository: Data<Handle<Repository>>,
    keys: Data<EdgeKeys>,
}

impl Asking {
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let missing = || ApiError::internal("the app lacks what edges need");
        let key = request.headers().get(KEY_HEADER).and_then(|key| key.to_str().ok());
        Ok(Self {
            key_hash: key.map(key_hash),
            address: caller_address(request),
            repository: request
                .app_data::<Data<Handle<Repository>>>()
                .cloned()
                .ok_or_else(missing)?,
            keys: request.app_data::<Data<EdgeKeys>>().cloned().ok_or_else(missing)?,
        })
    }

    async fn edge_of_late(&self) -> Result<KnownEdge, ApiError> {
        let proved = self.key_hash.and_then(|hash| self.keys.proved_of_late(&hash));
        match proved.filter(|edge| may_come_from(edge, self.address)) {
            Some(edge) => Ok(edge),
            None => self.edge().await,
        }
    }

    async fn edge(&self) -> Result<KnownEdge, ApiError> {
        let Some(key_hash) = self.key_hash else {
            return Err(self.refused());
        };
        let guesses = &self.keys.guesses;
        let asked_at = Instant::now();
        if let Some(wait) = guesses.wait(self.address, asked_at)
            && guesses.was_wrong_of_late(self.address, key_hash, asked_at)
        {
            return Err(ApiError::new(Code::RateLimited).retry_after(wait));
        }
        match self.repository.run(EdgeOfKey { key_hash }).await {
            Ok(edge) if may_come_from(&edge, self.address) => {
                self.keys.remember(key_hash, asked_at, &edge);
                Ok(edge)
            }
            Ok(_) | Err(DbError::NotFound) => Err(self.refused()),
            Err(error) => Err(error.into()),
        }
    }

    fn refused(&self) -> ApiError {
        match self.keys.guesses.wrong(self.address, self.key_hash, Instant::now()) {
            Some(wait) => ApiError::new(Code::RateLimited).retry_after(wait),
            None => ApiError::new(Code::Unauthenticated).with("expected", EXPECTED),
        }
    }
}

impl EdgeKeys {
    fn proved_of_late(&self, hash: &[u8; 32]) -> Option<KnownEdge> {
        let proved = self.proved.lock();
        let (at, edge) = proved.get(hash)?;
        (at.elapsed() < FRESH).then(|| edge.clone())
    }

    fn remember(&self, hash: [u8; 32], at: Instant, edge: &KnownEdge) {
        let mut proved = self.proved.lock();
        if proved.len() >= REMEMBERED {
            proved.clear();
        }
        proved.insert(hash, (at, edge.clone()));
    }
}

fn may_come_from(edge: &KnownEdge, address: IpAddr) -> bool {
    let within = |network: &String| match network.parse::<IpNet>() {
        Ok(network) => network.contains(&address),
        Err(_) => network.parse::<IpAddr>().is_ok_and(|allowed| allowed == address),
    };
    edge.allowed_addresses.is_empty() || edge.allowed_addresses.iter().any(within)
}
