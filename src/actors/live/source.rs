//! Where Live looks its topics up: what is announced may be lost, what is looked up is true.

use std::fmt::Debug;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::{Json, QueueChanged, StationChanged, SummaryChanged, WeighingChanged};

/// Reads the topics from the database. Live asks at its start and every 2 s.
pub trait Source: Debug + Send + Sync + 'static {
    /// How everything stands.
    fn look(&self) -> BoxFuture<'static, Looked>;

    /// Those of `logins` that do not hold any more.
    fn revoked(&self, logins: Vec<Uuid>) -> BoxFuture<'static, Vec<Uuid>>;
}

/// The topics as the database has them; a topic that could not be read is `None` and keeps what it has.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// All stations there are.
    pub stations: Option<Vec<StationChanged>>,
    /// Every site's line, also an empty one.
    pub queues: Option<Vec<QueueChanged>>,
    /// The newest records, newest first, at most 20 of each site.
    pub weighings: Option<Vec<WeighingChanged>>,
    /// Each site's summary, and with several sites that of all together.
    pub summaries: Option<Vec<SummaryChanged>>,
    /// All drivers who stand in a line, each with the position's data.
    pub positions: Option<Vec<(i64, Json)>>,
}
