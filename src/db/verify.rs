//! Looks for anything in the database that must not be: each promise about the data, as a query for what breaks it.
//!
//! May run beside a serving server: everything is read in one snapshot.

use diesel::{QueryableByName, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{DbError, Query};

/// A promise, and how to find what breaks it. The query answers one text a finding.
struct Promise {
    name: &'static str,
    breaks: &'static str,
}

const PROMISES: [Promise; 19] = [
    Promise {
        name: "every event up to an epoch's watermark is stored",
        breaks: "SELECT epoch::text || ': have ' || have || ', stored ' || stored FROM (SELECT e.epoch, e.have, \
                 (SELECT count(*) FROM edge_event v WHERE v.epoch = e.epoch AND v.seq <= e.have AND (v.status <> 'LOST' OR NOT EXISTS \
                 (SELECT FROM edge_lost_range l WHERE l.epoch = v.epoch AND v.seq BETWEEN l.from_seq AND l.to_seq))) \
                 + (SELECT coalesce(sum(least(l.to_seq, e.have) - l.from_seq + 1), 0) FROM edge_lost_range l \
                 WHERE l.epoch = e.epoch AND l.from_seq <= e.have) AS stored FROM edge_epoch e) AS counted WHERE stored <> have",
    },
    Promise {
        name: "what is stored is not lost, and nothing is lost twice",
        breaks: "SELECT l.epoch::text || '-' || v.seq FROM edge_lost_range l JOIN edge_event v ON v.epoch = l.epoch \
                 AND v.seq BETWEEN l.from_seq AND l.to_seq WHERE v.status <> 'LOST' \
                 UNION ALL SELECT l.epoch::text || '-' || m.from_seq FROM edge_lost_range l JOIN edge_lost_range m ON m.epoch = l.epoch \
                 AND m.from_seq > l.from_seq AND m.from_seq <= l.to_seq",
    },
    Promise {
        name: "nothing but what was lost is stored beyond a watermark",
        breaks: "SELECT v.epoch::text || '-' || v.seq FROM edge_event v JOIN edge_epoch e ON e.epoch = v.epoch \
                 WHERE v.seq > e.have AND v.status <> 'LOST'",
    },
    Promise {
        name: "every stored text is the one that was hashed",
        breaks: "SELECT epoch::text || '-' || seq FROM edge_event WHERE status IN ('STORED', 'DUPLICATE') \
                 AND encode(sha256(convert_to(body, 'UTF8')), 'hex') <> sha256",
    },
    Promise {
        name: "every stored capture event is a capture, with the same weight",
        breaks: "SELECT v.epoch::text || '-' || v.seq FROM edge_event v LEFT JOIN capture c ON c.cycle = v.cycle \
                 WHERE v.kind = 'capture' AND v.status = 'STORED' AND c.weight IS DISTINCT FROM v.weight",
    },
    Promise {
        name: "a cycle is stored with effect once",
        breaks: "SELECT cycle::text FROM edge_event WHERE kind = 'capture' AND status = 'STORED' GROUP BY cycle HAVING count(*) > 1",
    },
    Promise {
        name: "a record's id is its own, also across months",
        breaks: "SELECT id::text FROM weigh_record GROUP BY id HAVING count(*) > 1 \
                 UNION ALL SELECT id::text FROM weigh_record r WHERE NOT EXISTS (SELECT FROM record_id i WHERE i.id = r.id)",
    },
    Promise {
        name: "a completed record has net = gross - tare, and no negative weight",
        breaks: "SELECT id::text FROM weigh_record WHERE status = 'COMPLETED' AND NOT coalesce(net_weight = gross_weight - tare_weight \
                 AND gross_weight >= tare_weight AND tare_weight >= 0, FALSE)",
    },
    Promise {
        name: "a completed record has a slip of its own",
        breaks: "SELECT r.id::text FROM weigh_record r LEFT JOIN slip s ON s.slip_number = r.slip_number AND s.record_id = r.id \
                 WHERE r.status = 'COMPLETED' AND s.slip_number IS NULL",
    },
    Promise {
        name: "an issued slip belongs to a record that exists",
        breaks: "SELECT s.slip_number FROM slip s LEFT JOIN weigh_record r ON r.id = s.record_id AND r.slip_number = s.slip_number \
                 WHERE s.state = 'ISSUED' AND r.id IS NULL",
    },
    Promise {
        name: "slip numbers of a day run from 1 to its counter without a gap",
        breaks: "SELECT c.day || ' site ' || c.site_id || ': ' || count(s.number) || ' of ' || c.last_number FROM slip_counter c \
                 LEFT JOIN slip s ON s.site_id = c.site_id AND s.day = c.day GROUP BY c.site_id, c.day, c.last_number \
                 HAVING count(s.number) <> c.last_number OR coalesce(max(s.number), 0) <> c.last_number",
    },
    Promise {
        name: "a slip's date is the local date of its weighing",
        breaks: "SELECT s.slip_number FROM slip s JOIN weigh_record r ON r.id = s.record_id JOIN site z ON z.id = r.site_id \
                 WHERE (r.weighed_at AT TIME ZONE z.time_zone)::date <> s.day",
    },
    Promise {
        name: "a record's weights are those of its captures",
        breaks: "SELECT r.id::text FROM weigh_record r JOIN capture c ON c.id IN (r.first_capture_id, r.second_capture_id) \
                 WHERE c.weight <> CASE c.id WHEN r.second_capture_id THEN r.second_weight ELSE r.first_weight END",
    },
    Promise {
        name: "an assigned capture belongs to a record that names it",
        breaks: "SELECT c.id::text FROM capture c LEFT JOIN weigh_record r ON r.id = c.record_id AND c.id IN (r.first_capture_id, r.second_capture_id) \
                 WHERE c.state = 'ASSIGNED' AND r.id IS NULL",
    },
    Promise {
        name: "queue numbers of a day run from 1 to its counter without a gap, but for what a restore left out",
        breaks: "SELECT c.day || ' site ' || c.site_id FROM queue_counter c LEFT JOIN wait_queue q ON q.site_id = c.site_id AND q.day = c.day \
                 GROUP BY c.site_id, c.day, c.last_number, c.left_out \
                 HAVING count(q.id) <> c.last_number - c.left_out OR coalesce(max(q.queue_number), 0) > c.last_number",
    },
    Promise {
        name: "a called entry has the record of its call",
        breaks: "SELECT q.id::text FROM wait_queue q LEFT JOIN weigh_record r ON r.id = q.record_id WHERE q.status = 'CALLED' AND r.id IS NULL",
    },
    Promise {
        name: "an open record without a weight belongs to a call",
        breaks: "SELECT r.id::text FROM weigh_record r LEFT JOIN wait_queue q ON q.record_id = r.id AND q.status = 'CALLED' \
                 WHERE r.status IN ('PENDING', 'WEIGHING') AND r.first_weight IS NULL AND q.id IS NULL",
    },
    Promise {
        name: "each completion is owed to the ERP once",
        breaks: "SELECT r.id::text FROM weigh_record r WHERE r.slip_number IS NOT NULL AND \
                 (SELECT count(*) FROM outbox o WHERE o.kind = 'ERP_COMPLETE' AND o.payload->>'slip_number' = r.slip_number) <> 1",
    },
    Promise {
        name: "nobody is signed in on more than three devices",
        breaks: "SELECT user_id::text FROM login_session WHERE revoked_at IS NULL AND expires_at > now() GROUP BY user_id HAVING count(*) > 3",
    },
];

/// Checks every promise. Asked by `weighbridge verify`.
#[derive(Clone, Copy, Debug)]
pub struct Verify;

/// How one promise was found.
#[derive(Clone, Debug)]
pub struct Checked {
    pub promise: &'static str,
    /// What breaks it, the first five; empty where it holds.
    pub broken_by: Vec<String>,
}

#[derive(QueryableByName)]
struct Finding {
    #[diesel(sql_type = sql_types::Text)]
    finding: String,
}

impl Query for Verify {
    type Output = Vec<Checked>;

    async fn run(self, conn: &mut AsyncPgConnection) -> Result<Vec<Checked>, DbError> {
        conn.transaction::<_, DbError, _>(async |conn| {
            // One snapshot for all of them, and as much time as a large table takes.
            for setting in [
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                "SET LOCAL statement_timeout = 0",
            ] {
                diesel::sql_query(setting).execute(conn).await?;
            }
            let mut checked = Vec::with_capacity(PROMISES.len());
            for Promise { name, breaks } in &PROMISES {
                let query = format!("SELECT found.finding FROM ({breaks}) AS found(finding) LIMIT 5");
                let found: Vec<Finding> = diesel::sql_query(query).load(conn).await?;
                let broken_by = found.into_iter().map(|found| found.finding).collect();
                checked.push(Checked {
                    promise: name,
                    broken_by,
                });
            }
            Ok(checked)
        })
        .await
    }
}
