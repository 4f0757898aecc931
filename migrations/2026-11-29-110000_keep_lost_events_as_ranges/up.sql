-- What an edge has lost, as ranges. A file that lost its first three years of events has a hole of millions of seqs: a row
-- for each took longer to write than a statement may take, so that the edge's hello was never answered.

CREATE TABLE edge_lost_range (
    epoch UUID NOT NULL REFERENCES edge_epoch (epoch),
    from_seq BIGINT NOT NULL,
    to_seq BIGINT NOT NULL,
    noticed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (epoch, from_seq),
    CONSTRAINT edge_lost_range_counts_from_one CHECK (from_seq >= 1),
    CONSTRAINT edge_lost_range_is_ascending CHECK (from_seq <= to_seq)
);
CREATE INDEX idx_edge_lost_range_end ON edge_lost_range (epoch, to_seq);
COMMENT ON TABLE edge_lost_range IS 'Events that an edge has no more and that never came. One that comes after all is cut out of its range. Ranges of an epoch do not overlap.';
COMMENT ON COLUMN edge_lost_range.epoch IS 'Epoch of the events.';
COMMENT ON COLUMN edge_lost_range.from_seq IS 'The first that is lost.';
COMMENT ON COLUMN edge_lost_range.to_seq IS 'The last that is lost, all between included.';
COMMENT ON COLUMN edge_lost_range.noticed_at IS 'When the edge said so.';

-- Rows LOST of edge_event stay, for what an edge told is kept; only ranges say from now on what is lost.
INSERT INTO edge_lost_range (epoch, from_seq, to_seq, noticed_at)
SELECT epoch, min(seq), max(seq), min(received_at)
FROM (
    SELECT epoch, seq, received_at, seq - row_number() OVER (PARTITION BY epoch ORDER BY seq) AS island
    FROM edge_event WHERE status = 'LOST'
) AS lost
GROUP BY epoch, island;

-- The view shows each lost event as before.
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
LEFT JOIN slip ON slip.slip_number = record.slip_number
WHERE event.status <> 'LOST'
UNION ALL
SELECT
    of.edge_id,
    replace(lost.epoch::text, '-', ''),
    seq,
    NULL::varchar(64),
    'LOST'::varchar(20),
    NULL::varchar(20),
    lost.noticed_at,
    NULL::bigint,
    NULL::text,
    NULL::numeric(10, 2),
    NULL::timestamptz
FROM edge_lost_range AS lost
JOIN edge_epoch AS of ON of.epoch = lost.epoch
CROSS JOIN LATERAL generate_series(lost.from_seq, lost.to_seq) AS seq;
