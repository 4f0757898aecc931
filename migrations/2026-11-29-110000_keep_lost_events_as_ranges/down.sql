CREATE OR REPLACE VIEW v_edge_events AS
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
INSERT INTO edge_event (epoch, seq, edge_id, status, received_at)
SELECT lost.epoch, seq, of.edge_id, 'LOST', lost.noticed_at
FROM edge_lost_range AS lost
JOIN edge_epoch AS of ON of.epoch = lost.epoch
CROSS JOIN LATERAL generate_series(lost.from_seq, lost.to_seq) AS seq
ON CONFLICT (epoch, seq) DO NOTHING;
DROP TABLE edge_lost_range;
