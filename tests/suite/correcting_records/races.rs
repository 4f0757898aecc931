//! A record is corrected while somebody else decides on it, while its day is closed, and long after.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use weighbridge::{
    db::{
        capture::{Assign, CaptureKey, Decision},
        day_close::CloseDays,
        leader_lease::TakeLease,
        parties::Parties,
        weigh_record::{CorrectRecord, Corrected, VoidRecord},
    },
    domain::weighing::correct::{Correction, Uncorrectable},
};
use weighbridge_protocol::Kilograms;

use crate::support::line::{Line, clerk};

const LEASE: Duration = Duration::from_hours(1);

/// So many trucks, each weighed once at this moment; their records in order.
async fn weighed_at(moment: DateTime<Utc>, trucks: i64) -> (Line, Vec<i64>) {
    let line = Line::new(1, trucks).await;
    line.execute(&format!(
        "INSERT INTO product (id, code, name) VALUES (1, 'P1', '쇄석'), (2, 'P2', '모래');
         UPDATE vehicle SET tare_weight = 10000;
         INSERT INTO edge_epoch (epoch, edge_id, have) VALUES ('00000000-0000-0000-0000-0000000000e1', 1, {trucks});
         INSERT INTO edge_event (epoch, seq, edge_id, station_id, kind, cycle, sha256, body, status)
           SELECT '00000000-0000-0000-0000-0000000000e1', n, 1, 1, 'capture', gen_random_uuid(), repeat('a', 64), '{{}}', 'STORED'
           FROM generate_series(1, {trucks}) AS n;
         INSERT INTO capture (id, station_id, cycle, epoch, seq, weight, captured_at)
           SELECT seq, 1, cycle, epoch, seq, 25000, '{moment}' FROM edge_event"
    ))
    .await;
    let mut records = Vec::new();
    for truck in 1..=trucks {
        let assign = Assign {
            key: CaptureKey::Row(truck),
            parties: Parties {
                vehicle_id: truck,
                driver_id: Some(truck),
                product_id: Some(1),
                customer_id: None,
            },
            min_net: Kilograms::from_whole(100),
            author: clerk(),
            now: Utc::now(),
        };
        match line.run(0, assign).await.unwrap() {
            Decision::Made { record_id, .. } => records.extend(record_id),
            other => panic!("{other:?}"),
        }
    }
    (line, records)
}

fn correct(record_id: i64, product_id: Option<i64>) -> CorrectRecord {
    CorrectRecord {
        record_id,
        correction: Correction {
            product_id: Some(product_id),
            ..Correction::default()
        },
        reason: "품목 정정".into(),
        min_net: Kilograms::from_whole(100),
        author: clerk(),
        now: Utc::now(),
    }
}

fn void(record_id: i64) -> VoidRecord {
    VoidRecord {
        record_id,
        reason: "시험".into(),
        requeue: false,
        author: clerk(),
        now: Utc::now(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_decide_on_one_record_the_second_sees_what_the_first_did() {
    let (line, records) = weighed_at(Utc::now() - TimeDelta::minutes(1), 24).await;
    for (round, record) in records.into_iter().enumerate() {
        // Both have read the record, and wait for its station.
        let holder = line.hold("SELECT * FROM weigh_station WHERE id = 1 FOR UPDATE").await;
        let releasing = async {
            line.until_locked_out(2).await;
            holder.batch_execute("COMMIT").await.unwrap();
        };
        let first = line.run(0, correct(record, Some(2)));
        if round % 2 == 0 {
            let (one, other, ()) = tokio::join!(first, line.run(1, correct(record, None)), releasing);
            let both = [one.unwrap(), other.unwrap()];
            let made = both
                .iter()
                .filter(|made| matches!(made, Corrected::Made { .. }))
                .count();
            let refused = |made: &&Corrected| matches!(made, Corrected::Refused(Uncorrectable::NotComplete));
            assert_eq!((made, both.iter().filter(refused).count()), (1, 1), "{both:?}");
        } else {
            let (corrected, voided, ()) = tokio::join!(first, line.run(1, void(record)), releasing);
            let (corrected, voided) = (corrected.unwrap(), voided.unwrap());
            assert_ne!(
                matches!(corrected, Corrected::Made { .. }),
                voided.is_ok(),
                "{corrected:?} {voided:?}"
            );
        }
    }
    // A weight is on the record that counts, or waits; and no record was replaced twice.
    let astray = "SELECT count(*) FROM capture c LEFT JOIN weigh_record r ON r.id = c.record_id AND r.status = 'COMPLETED' \
                  WHERE (c.state = 'ASSIGNED') <> (r.id IS NOT NULL)";
    assert_eq!(line.count(astray).await, 0);
    let told = "SELECT count(*) FROM weigh_record r WHERE slip_number IS NOT NULL AND ( \
        (SELECT count(*) FROM outbox o WHERE kind = 'ERP_COMPLETE' AND payload->>'slip_number' = r.slip_number) <> 1 OR \
        (SELECT count(*) FROM outbox o WHERE kind = 'ERP_VOID' AND payload->>'slip_number' = r.slip_number) <> (status = 'VOIDED')::int)";
    assert_eq!(line.count(told).await, 0, "each completion once, and each void once");
}

/// Every message is counted into one close, whichever came first; and what belongs to a closed month is late in the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_is_counted_once_though_its_day_is_being_closed_or_its_month_long_was() {
    let weighed = "2026-03-05T03:00:00Z".parse().unwrap();
    let (line, records) = weighed_at(weighed, 12).await;
    let lease = TakeLease {
        holder: "a".to_owned(),
        lease: LEASE,
    };
    let term = line.run(0, lease).await.unwrap().unwrap();
    let close = |now: &str| CloseDays {
        term,
        now: now.parse().unwrap(),
        after_midnight: TimeDelta::minutes(30),
    };
    let correcting = async {
        for record in &records {
            assert!(matches!(
                line.run(0, correct(*record, Some(2))).await,
                Ok(Corrected::Made { .. })
            ));
        }
    };
    let (closing, ()) = tokio::join!(line.run(1, close("2026-03-05T16:00:00Z")), correcting);
    assert_eq!(closing.unwrap().unwrap().closed.len(), 1);
    // Round by round.
    while line
        .run(1, close("2026-05-01T16:00:00Z"))
        .await
        .unwrap()
        .unwrap()
        .goes_on
    {}
    // Months later.
    let last = line.count("SELECT max(id) FROM weigh_record").await;
    assert!(matches!(
        line.run(0, correct(last, Some(1))).await,
        Ok(Corrected::Made { .. })
    ));
    let slip = "SELECT count(*) FROM slip WHERE day = '2026-03-05' AND number = 25 AND slip_number = 'WR20260305025'";
    assert_eq!(
        line.count(slip).await,
        1,
        "the number is of the day on which it was weighed"
    );
    line.run(1, close("2026-05-02T16:00:00Z")).await.unwrap().unwrap();
    let late = "SELECT string_agg(concat_ws(' ', line->>'day', line->>'product_code', line->>'count', line->>'net_kg'), ', ' \
                ORDER BY line->>'product_code') FROM day_close, jsonb_array_elements(late) AS line WHERE day = '2026-05-02'";
    assert_eq!(line.text(late).await, "2026-03-05 P1 1 15000, 2026-03-05 P2 -1 -15000");
    let sums = "SELECT string_agg(product || ' ' || net, ', ' ORDER BY product) FROM ( \
        SELECT line->>'product_code' AS product, sum((line->>'net_kg')::numeric) AS net \
        FROM day_close, jsonb_array_elements(totals || late) AS line GROUP BY 1) AS sums";
    assert_eq!(line.text(sums).await, "P1 15000, P2 165000");
    assert_eq!(
        line.count(
            "SELECT count(*) FROM outbox WHERE kind <> 'ERP_CLOSE' AND destination = 'ERP' AND close_id IS NULL"
        )
        .await,
        0
    );
}
