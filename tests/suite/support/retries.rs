//! What failed and waits to be tried again: a test says when.

use super::{owed::until, site::Site};

/// Pauses so long that what failed waits until it is [made due](make_due).
pub const SLOW: [(&str, &str); 2] = [("delivery.first_pause", "1000h"), ("delivery.longest_pause", "1000h")];

/// Waits until the one message of this kind that is owed has failed once, with these words.
pub async fn failed_once(site: &Site, kind: &str, why: &str) {
    let failed = format!(
        "SELECT count(*) FROM outbox WHERE kind = '{kind}' AND state = 'PENDING' AND attempts = 1 AND last_error LIKE '%{why}%'"
    );
    until(&site.connect().await, &failed, 1).await;
}

pub async fn make_due(site: &Site) {
    site.execute("UPDATE outbox SET next_attempt_at = now() WHERE state = 'PENDING'")
        .await;
}
