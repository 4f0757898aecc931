//! Tickets for browsers, which cannot send a header with a WebSocket: made for a token, good for one socket within 30 s.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::Mutex;

use crate::actors::session::Admitted;

pub const LIFETIME: Duration = Duration::from_secs(30);
/// Far more than honest clients ever hold; beyond it new ones are refused.
const MOST: usize = 10_000;

type Number = [u8; 16];

/// The tickets that were issued and not yet used.
#[derive(Debug, Default)]
pub struct Tickets(Mutex<HashMap<Number, Ticket>>);

#[derive(Debug)]
struct Ticket {
    admitted: Admitted,
    issued: Instant,
}

impl Tickets {
    /// 128 random bits as 22 characters that a header may carry. `None` while too many are out.
    pub fn issue(&self, admitted: Admitted, now: Instant) -> Option<String> {
        let mut tickets = self.0.lock();
        tickets.retain(|_, ticket| ticket.holds(now));
        if tickets.len() >= MOST {
            return None;
        }
        let number: Number = rand::random();
        tickets.insert(number, Ticket { admitted, issued: now });
        Some(URL_SAFE_NO_PAD.encode(number))
    }

    /// Spends a ticket. `None` for one that was never issued, was spent, or is too old.
    pub fn spend(&self, text: &str, now: Instant) -> Option<Admitted> {
        let number: Number = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let ticket = self.0.lock().remove(&number)?;
        ticket.holds(now).then_some(ticket.admitted)
    }
}

impl Ticket {
    fn holds(&self, now: Instant) -> bool {
        now.duration_since(self.issued) < LIFETIME
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use uuid::Uuid;

    use super::*;
    use crate::actors::session::Watcher;

    fn admitted(user: i64) -> Admitted {
        Admitted {
            watcher: Watcher::Staff,
            user,
            login: Uuid::from_u128(1),
            expires_at: Utc::now(),
        }
    }

    #[test]
    fn a_ticket_admits_once() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let (first, second) = (
            tickets.issue(admitted(1), now).unwrap(),
            tickets.issue(admitted(2), now).unwrap(),
        );
        assert_eq!(first.len(), 22);
        assert_eq!(tickets.spend(&second, now).unwrap().user, 2);
        assert_eq!(tickets.spend(&first, now).unwrap().user, 1);
        assert_eq!(tickets.spend(&first, now), None);
        for forged in ["", "x", "AAAAAAAAAAAAAAAAAAAAAA", "not/url+safe=="] {
            assert_eq!(tickets.spend(forged, now), None);
        }
    }

    #[test]
    fn a_ticket_is_good_for_half_a_minute() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        let (early, late) = (
            tickets.issue(admitted(1), now).unwrap(),
            tickets.issue(admitted(1), now).unwrap(),
        );
        assert!(tickets.spend(&early, now + Duration::from_millis(29_999)).is_some());
        assert_eq!(tickets.spend(&late, now + LIFETIME), None);
    }

    #[test]
    fn too_many_tickets_are_refused_until_they_are_too_old() {
        let (tickets, now) = (Tickets::default(), Instant::now());
        for _ in 0..MOST {
            assert!(tickets.issue(admitted(1), now).is_some());
        }
        assert_eq!(tickets.issue(admitted(1), now), None);
        assert!(tickets.issue(admitted(1), now + LIFETIME).is_some());
    }
}
