//! Which station reads which device or peer now. Two names of one are known to be one when it is opened, and no truck is to be
//! weighed on two stations.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What is read, and by whom. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Claims(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    by: BTreeMap<String, (i64, u64)>,
    claims: u64,
}

/// Held while a station reads; when it is dropped others may.
#[derive(Debug)]
pub struct Claim {
    all: Claims,
    what: String,
    number: u64,
}

impl Claims {
    /// A station that starts anew takes over what it had.
    ///
    /// # Errors
    /// The station that reads it.
    pub fn take(&self, what: String, station_id: i64) -> Result<Claim, i64> {
        let mut held = self.held();
        match held.by.get(&what) {
            Some((holder, _)) if *holder != station_id => return Err(*holder),
            _ => held.claims += 1,
        }
        let number = held.claims;
        held.by.insert(what.clone(), (station_id, number));
        drop(held);
        Ok(Claim {
            all: self.clone(),
            what,
            number,
        })
    }

    /// Nothing is done under the lock that could leave it torn.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut held = self.all.held();
        if held
            .by
            .get(&self.what)
            .is_some_and(|(_, number)| *number == self.number)
        {
            held.by.remove(&self.what);
        }
    }
}

/// An address in its one form: one of IPv4 may come as one of IPv6.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_station_reads_no_other_does_until_it_lets_go() {
        let claims = Claims::default();
        let take = |station| claims.take("/dev/ttyUSB0".to_owned(), station);
        let first = take(1).unwrap();
        assert_eq!(take(2).unwrap_err(), 1);
        let anew = take(1).unwrap();
        drop(first);
        assert_eq!(take(2).unwrap_err(), 1, "what ends late lets go of nothing");
        assert!(claims.take("/dev/ttyUSB1".to_owned(), 2).is_ok());
        drop(anew);
        assert!(take(2).is_ok());
    }
}
