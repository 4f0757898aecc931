//! An actor that freezes is replaced with its whole arbiter, and what wakes late has no effect; where sockets are held the
//! process ends and is started again.

use futures_util::future::join_all;
use serde_json::json;

use super::{process::eventually, traffic::Met, yard::Yard};

/// Longer than an arbiter may be silent.
const FREEZE: u64 = 8;
/// Short enough to pass for slowness: what comes meanwhile lies in the mailbox before the next freeze.
const DOZE: u64 = 1;

#[actix_web::test]
async fn each_arbiter_whose_actor_freezes_is_replaced_and_what_wakes_late_changes_nothing() {
    let mut yard = Yard::at_work(2).await;
    let replaced = ["repository", "queue-1", "indicator-1", "erp-sync"];
    join_all(replaced.map(|actor| yard.server.freeze(actor, FREEZE))).await;
    for actor in replaced {
        let row = yard
            .server
            .until(actor, |row| row.state == "RUNNING" && row.generation > 1)
            .await;
        assert!(row.last_failure.contains("froze"), "{actor}: {row:?}");
    }
    // What shares an arbiter with one that froze is made anew with it, and has not failed.
    for companion in ["indicator-2", "push", "housekeeping"] {
        let row = yard.server.until(companion, |row| row.generation > 1).await;
        assert_eq!(row.last_failure, "", "{companion}");
    }
    assert!(yard.server.metric("arbiter_replacements_total", "").await >= 4);
    let Met { weighed, .. } = yard.reckon().await;
    assert!(weighed > 0);
}

#[actix_web::test]
async fn a_write_from_a_thread_that_was_given_up_is_refused_and_counted() {
    let mut yard = Yard::open(1).await;
    let truck = yard.truck().await;
    yard.server.freeze("indicator-1", DOZE).await;
    yard.server.freeze("queue-1", DOZE).await;
    let readings = async || (yard.server.metric("actor_mailbox_depth", "indicator-1").await > 3).then_some(());
    eventually("readings wait", readings).await;
    let form = json!({ "driver_id": truck.driver, "vehicle_id": truck.vehicle });
    let asked = yard.server.admin.post("/api/v1/queue", form.clone());
    let frozen = async {
        let waits = async || (yard.server.metric("actor_mailbox_depth", "queue-1").await > 0).then_some(());
        eventually("the truck waits to be let in", waits).await;
        yard.server.freeze("queue-1", FREEZE).await;
        yard.server.freeze("indicator-1", FREEZE).await;
    };
    let (refused, ()) = tokio::join!(asked, frozen);
    assert_eq!(refused.outcome(), "503 UNAVAILABLE", "{}", refused.text);
    let fenced = async || (yard.server.metric("actor_fenced_total", "").await > 0).then_some(());
    eventually("what woke late is refused", fenced).await;
    let entries = "SELECT count(*) FROM wait_queue";
    assert_eq!(yard.server.count(entries).await, 0, "who was refused stands in no line");
    assert_eq!(yard.server.admin.post("/api/v1/queue", form).await.outcome(), "201");
    yard.reckon().await;
    assert_eq!(yard.server.count(entries).await, 1);
}

#[actix_web::test]
async fn a_live_that_freezes_ends_the_process_and_nothing_is_lost() {
    frozen_sockets_end_the_process("live-1").await;
}

#[actix_web::test]
async fn an_edge_link_that_freezes_ends_the_process_and_nothing_is_lost() {
    frozen_sockets_end_the_process("edge-link-1").await;
}

async fn frozen_sockets_end_the_process(actor: &str) {
    let mut yard = Yard::open(1).await;
    yard.watch(1).await;
    yard.edge.stay(1, 18_000);
    yard.edge.all_acknowledged().await;
    yard.server.freeze(actor, 600).await;
    for _ in 0..10 {
        yard.edge.stay(1, 18_000);
    }
    assert_eq!(yard.server.ended().await, Some(70));
    assert_eq!(yard.server.logged("the process has to end").len(), 1);
    yard.server.start_again().await;
    yard.edge.call(&yard.server.address);
    yard.reckon().await;
}
