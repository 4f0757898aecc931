//! Takes what is owed to the ERP there: `erp-sync`'s carrier.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;

use super::courier::Carrier;
use crate::{
    clients::erp::{Erp, Message, Subject},
    db::outbox::Due,
    domain::{delivery::Outcome, outbox::Kind},
};

/// See the file's head.
pub struct ErpSync {
    erp: Arc<dyn Erp>,
}

impl ErpSync {
    pub const fn new(erp: Arc<dyn Erp>) -> Self {
        Self { erp }
    }
}

impl Carrier for ErpSync {
    fn deliver(&self, due: Due) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            let Some(subject) = Kind::named(&due.kind).and_then(Subject::of) else {
                return Outcome::Dead {
                    why: format!("{} is nothing that an ERP is told", due.kind),
                };
            };
            let message = Message {
                number: due.id,
                subject,
                key: due.idempotency_key,
                payload: due.payload,
                // The first lease of a message is its first attempt.
                may_have_arrived: due.lease_term > 1,
            };
            self.erp.tell(message).await
        })
    }
}

impl fmt::Debug for ErpSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErpSync").finish_non_exhaustive()
    }
}
