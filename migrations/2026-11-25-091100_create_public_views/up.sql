-- What may be read from outside, whatever becomes of the tables: columns are only added, at the end.
-- The link's identities are shown as everywhere else, 32 hex digits without dashes.

CREATE VIEW v_edge_events AS
SELECT
    event.edge_id AS edge,
    replace(event.epoch::text, '-', '') AS epoch,
    event.seq,
    event.sha256,
    event.status,
    slip.slip_number,
    event.received_at,
    event.station_id,
    replace(event.cycle::text, '-', '') AS cycle,
    event.weight,
    event.at
FROM edge_event AS event
LEFT JOIN capture ON capture.epoch = event.epoch AND capture.seq = event.seq
LEFT JOIN weigh_record AS record
    ON record.id = capture.record_id AND coalesce(record.second_capture_id, record.first_capture_id) = capture.id
LEFT JOIN slip ON slip.slip_number = record.slip_number;
COMMENT ON VIEW v_edge_events IS 'Events of edges; slip_number is that of the weighing which the event completed.';

CREATE VIEW v_outbox AS
SELECT id, kind, idempotency_key, aggregate_key, state, attempts, next_attempt_at, lease_term, last_error FROM outbox;
COMMENT ON VIEW v_outbox IS 'Messages owed to others, without what they say.';

CREATE VIEW v_queue AS
SELECT id, site_id, day, queue_number, status, station_id, driver_id, vehicle_id FROM wait_queue;
COMMENT ON VIEW v_queue IS 'The waiting lines, past days included.';

CREATE VIEW v_audit AS
SELECT id, at, actor, action, subject, before, after FROM audit_log;
COMMENT ON VIEW v_audit IS 'Who did what to which row.';

CREATE VIEW v_sessions AS
SELECT id, user_id, created_at, last_used_at, revoked_at FROM login_session;
COMMENT ON VIEW v_sessions IS 'Devices on which users are or were signed in.';
