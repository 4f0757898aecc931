//! Takes pushes to drivers' phones: each message to every device of its driver, over one connection to FCM, and into the
//! list that the app shows.
//!
//! A call is looked at once more just before it is sent: one that is no longer true is not told. Without FCM the list is
//! all there is.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{BoxFuture, join_all};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tracing::{info, warn};
use weighbridge_supervision::Handle;

use super::{
    courier::Carrier,
    repository::{Queries, Repository},
};
use crate::{
    clients::fcm::{Fcm, answer::Sent},
    db::{
        DbError,
        device::{Device, DevicesOf, ForgetTokens},
        notification::{CallWasTold, KeepNotification, NotificationReached},
        outbox::Due,
        wait_queue::{CallStands, CalledAgain},
    },
    domain::{
        delivery::Outcome,
        outbox::Kind,
        push::{self, CallPayload, Manner, SlipPayload},
    },
};

/// See the file's head.
#[derive(Debug)]
pub struct Push {
    pub fcm: Option<Arc<Fcm>>,
    pub repository: Handle<Repository>,
    pub manner: Manner,
    /// A token that was not told for so long leads nowhere.
    pub token_age: TimeDelta,
}

/// What a message is, and whom it is for.
struct Told {
    driver_id: i64,
    push: push::Push,
}

/// Why a message is not told, or not now.
enum Untold {
    Never(String),
    Broken(String),
    Database(DbError),
}

impl Carrier for Push {
    fn deliver(&self, due: Due) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            match self.tell(due).await {
                Ok(outcome) => outcome,
                Err(Untold::Never(why)) => Outcome::NoLongerTrue { why },
                Err(Untold::Broken(why)) => Outcome::Dead { why },
                Err(Untold::Database(error)) => Outcome::Retry {
                    why: format!("the database is away: {error}"),
                    after: None,
                },
            }
        })
    }
}

impl Push {
    async fn tell(&self, due: Due) -> Result<Outcome, Untold> {
        let now = Utc::now();
        let (Told { driver_id, push }, key) = (self.read(&due, now)?, due.idempotency_key);
        let devices = match &self.fcm {
            Some(_) => self.devices(driver_id, now).await?,
            None => Vec::new(),
        };
        self.look_again(&due).await?;
        let kept = KeepNotification {
            key,
            driver_id,
            kind: push.kind,
            title: push.shown.title.clone(),
            message: push.shown.body.clone(),
            data: Value::Object(
                push.data
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), value.clone().into()))
                    .collect::<Map<_, _>>(),
            ),
        };
        let kept = self.repository.run(kept).await?;
        let Some(fcm) = &self.fcm else {
            return Err(Untold::Never("listed for the driver; no FCM is configured".to_owned()));
        };
        let waiting: Vec<Device> = devices
            .into_iter()
            .filter(|device| !kept.reached.contains(&device.id))
            .collect();
        if waiting.is_empty() && kept.reached.is_empty() {
            return Err(Untold::Never(
                "listed for the driver, who has no device to be told on".to_owned(),
            ));
        }
        // All at once, each on a stream of its own.
        let push = &push;
        let sending = waiting
            .iter()
            .map(|device| async move { (device, fcm.send(&push.for_device(&device.token, now)).await) });
        let sent = join_all(sending).await;
        self.settle(kept.id, sent, !kept.reached.is_empty()).await
    }

    /// Reads what a row of the outbox says.
    fn read(&self, due: &Due, now: DateTime<Utc>) -> Result<Told, Untold> {
        match Kind::named(&due.kind) {
            Some(Kind::PushCalled) => {
                let call: CallPayload = parsed(due)?;
                let push = call.called(&self.manner, now);
                let push = push.ok_or_else(|| Untold::Never("its deadline is over".to_owned()))?;
                Ok(Told {
                    driver_id: call.driver_id,
                    push,
                })
            }
            Some(Kind::PushWithdrawn) => {
                let call: CallPayload = parsed(due)?;
                Ok(Told {
                    driver_id: call.driver_id,
                    push: call.withdrawn(&self.manner, now),
                })
            }
            Some(kind @ (Kind::PushCompleted | Kind::PushCorrected | Kind::PushRevoked)) => {
                let slip: SlipPayload = parsed(due)?;
                let driver_id = slip
                    .driver_id
                    .ok_or_else(|| Untold::Never("it has no driver".to_owned()))?;
                let push = match kind {
                    Kind::PushCorrected => slip.corrected(&self.manner, now),
                    Kind::PushRevoked => slip.revoked(&self.manner, now),
                    _ => slip.completed(&self.manner, now),
                };
                Ok(Told { driver_id, push })
            }
            _ => Err(Untold::Broken(format!("{} is no push", due.kind))),
        }
    }

    async fn devices(&self, driver_id: i64, now: DateTime<Utc>) -> Result<Vec<Device>, Untold> {
        let told_since = now - self.token_age;
        Ok(self.repository.run(DevicesOf { driver_id, told_since }).await?)
    }

    /// Whether it is still true at this moment.
    async fn look_again(&self, due: &Due) -> Result<(), Untold> {
        let kind = Kind::named(&due.kind).filter(|kind| matches!(kind, Kind::PushCalled | Kind::PushWithdrawn));
        let Some(kind) = kind else { return Ok(()) };
        let CallPayload {
            queue_id: entry_id,
            call,
            driver_id,
            ..
        } = parsed(due)?;
        if kind == Kind::PushCalled {
            let stands = self.repository.run(CallStands { entry_id, call }).await?;
            return if stands {
                Ok(())
            } else {
                never("the call does not stand any more")
            };
        }
        let call_id = format!("{entry_id}-{call}");
        if !self.repository.run(CallWasTold { driver_id, call_id }).await? {
            return never("the call had not been told");
        }
        if self.repository.run(CalledAgain { entry_id, call }).await? {
            return never("the driver is called again");
        }
        Ok(())
    }

    async fn settle(&self, id: i64, sent: Vec<(&Device, Sent)>, reached_before: bool) -> Result<Outcome, Untold> {
        let (mut reached, mut gone, mut later, mut wrong) = (Vec::new(), Vec::new(), None, None);
        for (device, sent) in sent {
            match sent {
                Sent::Accepted => reached.push(device.id),
                Sent::NoDevice(why) => {
                    info!(
                        session.id = device.id,
                        "the device of session {} is forgotten: {why}", device.id
                    );
                    gone.push(device.token.clone());
                }
                Sent::Later { why, after } => later = Some((why, later.map_or(after, |(_, other)| after.max(other)))),
                Sent::Wrong(why) => wrong = Some(why),
            }
        }
        metrics::counter!("push_sent_total").increment(reached.len().try_into().unwrap_or(u64::MAX));
        metrics::counter!("push_tokens_forgotten_total").increment(gone.len().try_into().unwrap_or(u64::MAX));
        let any = reached_before || !reached.is_empty();
        if !reached.is_empty() {
            let noted = NotificationReached { id, devices: reached };
            // What cannot be noted may be pushed once more; its key lets a phone show it once.
            if let Err(error) = self.repository.run(noted).await {
                warn!(
                    notification.id = id,
                    "which devices have notification {id} is not noted: {error}"
                );
            }
        }
        // After the note: what fails here is tried again, and then goes to nobody who has it.
        if !gone.is_empty() {
            self.repository.run(ForgetTokens { tokens: gone }).await?;
        }
        match (later, wrong) {
            (_, Some(why)) => Ok(Outcome::Dead { why }),
            (Some((why, after)), None) => Ok(Outcome::Retry { why, after }),
            (None, None) if any => Ok(Outcome::Sent {
                response: json!({ "notification_id": id }),
            }),
            (None, None) => never("no device of the driver is there any more"),
        }
    }
}

fn never<T>(why: &str) -> Result<T, Untold> {
    Err(Untold::Never(why.to_owned()))
}

fn parsed<T: DeserializeOwned>(due: &Due) -> Result<T, Untold> {
    T::deserialize(&due.payload).map_err(|error| Untold::Broken(format!("its payload is not as expected: {error}")))
}

impl From<DbError> for Untold {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}
