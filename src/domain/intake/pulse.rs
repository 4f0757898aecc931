//! What a heartbeat of the database tells of a connection.

use std::collections::BTreeMap;

use weighbridge_protocol::{
    Epoch, LinkSession,
    link::{
        FromServer,
        messages::{Nack, NackCode},
    },
};

use super::Awaited;

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Newest,
    /// Another connection of this edge came after it, or the edge is out of use.
    Fenced,
    /// An epoch of its hello is not known any more: it must say hello again.
    Unknown,
    /// The database went back: the edge must send on from there.
    WentBack(Nack),
}

/// Whether these answers tell of less than the connection knows to be stored: the database went back.
pub fn tell_that_it_went_back(answers: &[FromServer], have: &BTreeMap<Epoch, i64>) -> bool {
    answers.iter().any(|answer| match answer {
        FromServer::Nack(nack) => have.get(&nack.epoch).is_some_and(|have| nack.have < *have),
        _ => false,
    })
}

/// Compares what a connection remembers with what is stored. Where the database went back, the memory follows it.
pub fn compare(
    session: LinkSession,
    have: &mut BTreeMap<Epoch, i64>,
    awaited: &mut Awaited,
    newest: Option<LinkSession>,
    stored: &BTreeMap<Epoch, i64>,
) -> Standing {
    if newest != Some(session) {
        return Standing::Fenced;
    }
    for (epoch, known) in have {
        let Some(&now) = stored.get(epoch) else {
            return Standing::Unknown;
        };
        if now < *known {
            let nack = Nack {
                epoch: *epoch,
                seq: *known,
                code: NackCode::Gap,
                have: now,
            };
            *awaited = Some((*epoch, now + 1));
            *known = now;
            return Standing::WentBack(nack);
        }
    }
    Standing::Newest
}
