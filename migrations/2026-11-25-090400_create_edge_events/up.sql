-- What edges have told, exactly once each, and the weights that were captured.
-- An event is (epoch, seq) from birth. These tables are the evidence: rows are added, and only what staff decide about
-- them is written later.

CREATE TABLE edge_epoch (
    epoch UUID PRIMARY KEY,
    edge_id BIGINT NOT NULL REFERENCES edge_gateway (id),
    have BIGINT NOT NULL DEFAULT 0,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT edge_epoch_have_counts_from_zero CHECK (have >= 0)
);
CREATE INDEX idx_edge_epoch_edge ON edge_epoch (edge_id);
COMMENT ON TABLE edge_epoch IS 'One life of an edge''s buffer file, and how far its events are stored.';
COMMENT ON COLUMN edge_epoch.epoch IS 'The 128 random bits that name it.';
COMMENT ON COLUMN edge_epoch.edge_id IS 'The edge it belongs to.';
COMMENT ON COLUMN edge_epoch.have IS 'Highest seq up to which every event is stored; moved by compare-and-set with the events.';
COMMENT ON COLUMN edge_epoch.created_at IS 'When the server first heard of it.';
COMMENT ON COLUMN edge_epoch.updated_at IS 'When it last moved.';
CREATE TRIGGER edge_epoch_touch BEFORE UPDATE ON edge_epoch FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE edge_event (
    epoch UUID NOT NULL,
    seq BIGINT NOT NULL,
    edge_id BIGINT NOT NULL REFERENCES edge_gateway (id),
    station_id BIGINT,
    kind VARCHAR(30),
    cycle UUID,
    sha256 VARCHAR(64),
    body TEXT,
    status VARCHAR(20) NOT NULL,
    reason TEXT,
    event_id UUID,
    weight DECIMAL(10, 2),
    at TIMESTAMPTZ,
    received_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    decided_by BIGINT REFERENCES app_user (id),
    decided_at TIMESTAMPTZ,
    decided_why TEXT,
    PRIMARY KEY (epoch, seq),
    CONSTRAINT edge_event_event_id_key UNIQUE (event_id),
    CONSTRAINT edge_event_seq_counts_from_one CHECK (seq >= 1),
    CONSTRAINT edge_event_status_is_known
        CHECK (status IN ('STORED', 'DUPLICATE', 'REJECTED', 'QUARANTINED', 'LOST')),
    CONSTRAINT edge_event_has_its_text_unless_lost CHECK ((status = 'LOST') = (body IS NULL)),
    CONSTRAINT edge_event_has_its_hash_unless_lost CHECK ((body IS NULL) = (sha256 IS NULL)),
    CONSTRAINT edge_event_hash_is_sha256 CHECK (sha256 ~ '^[0-9a-f]{64}$')
);
CREATE INDEX idx_edge_event_lost ON edge_event (epoch, seq) WHERE status = 'LOST';
CREATE INDEX idx_edge_event_undecided ON edge_event (received_at)
    WHERE status IN ('REJECTED', 'QUARANTINED') AND decided_at IS NULL;
CREATE INDEX idx_edge_event_received ON edge_event (received_at);
COMMENT ON TABLE edge_event IS 'An event that an edge told, or that came by HTTP; each identity once.';
COMMENT ON COLUMN edge_event.epoch IS 'Epoch of the buffer file it was born in; by HTTP: of the station''s row in station_cycle.';
COMMENT ON COLUMN edge_event.seq IS 'Number within the epoch, from 1.';
COMMENT ON COLUMN edge_event.edge_id IS 'The edge that told it.';
COMMENT ON COLUMN edge_event.station_id IS 'The station it names; no reference, for a wrong event may name any.';
COMMENT ON COLUMN edge_event.kind IS 'What happened: capture, vehicle_on, vehicle_off …; NULL where unreadable or lost.';
COMMENT ON COLUMN edge_event.cycle IS 'The stay on the deck it belongs to; NULL where there is none.';
COMMENT ON COLUMN edge_event.sha256 IS 'Hash of the text, lower-case hex.';
COMMENT ON COLUMN edge_event.body IS 'The event''s text, to the letter.';
COMMENT ON COLUMN edge_event.status IS 'STORED; DUPLICATE: its cycle is known under another identity; REJECTED: wrong in itself; QUARANTINED: its handling panicked; LOST: the edge has it no more.';
COMMENT ON COLUMN edge_event.reason IS 'Why it was not simply stored.';
COMMENT ON COLUMN edge_event.event_id IS 'The sender''s own identity of an event that came by HTTP.';
COMMENT ON COLUMN edge_event.weight IS 'Weight in kg, of kinds that have one.';
COMMENT ON COLUMN edge_event.at IS 'When it happened, by corrected time; NULL where that is doubtful.';
COMMENT ON COLUMN edge_event.received_at IS 'When the server stored it.';
COMMENT ON COLUMN edge_event.decided_by IS 'Who of staff settled a rejected or quarantined one.';
COMMENT ON COLUMN edge_event.decided_at IS 'When it was settled.';
COMMENT ON COLUMN edge_event.decided_why IS 'Why it was settled so.';
CREATE TRIGGER edge_event_is_final BEFORE UPDATE ON edge_event FOR EACH ROW WHEN (OLD.status <> 'LOST')
    EXECUTE FUNCTION refuse_change('decided_by', 'decided_at', 'decided_why');
CREATE TRIGGER edge_event_keeps_its_identity BEFORE UPDATE ON edge_event FOR EACH ROW
    WHEN ((OLD.epoch, OLD.seq) IS DISTINCT FROM (NEW.epoch, NEW.seq))
    EXECUTE FUNCTION refuse('an event is (epoch, seq) from birth');
CREATE TRIGGER edge_event_stays BEFORE DELETE OR TRUNCATE ON edge_event
    EXECUTE FUNCTION refuse('what an edge told is kept for ever');

CREATE TABLE edge_conflict (
    id BIGSERIAL PRIMARY KEY,
    epoch UUID NOT NULL,
    seq BIGINT NOT NULL,
    edge_id BIGINT NOT NULL REFERENCES edge_gateway (id),
    sha256 VARCHAR(64) NOT NULL,
    body TEXT NOT NULL,
    received_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT edge_conflict_text_key UNIQUE (epoch, seq, sha256)
);
COMMENT ON TABLE edge_conflict IS 'Another text under an identity that is taken: two files share an epoch. Both are kept.';
COMMENT ON COLUMN edge_conflict.id IS 'Primary key.';
COMMENT ON COLUMN edge_conflict.epoch IS 'Epoch of the identity in conflict.';
COMMENT ON COLUMN edge_conflict.seq IS 'Its number within the epoch.';
COMMENT ON COLUMN edge_conflict.edge_id IS 'The edge that told it.';
COMMENT ON COLUMN edge_conflict.sha256 IS 'Hash of the text.';
COMMENT ON COLUMN edge_conflict.body IS 'The text, to the letter.';
COMMENT ON COLUMN edge_conflict.received_at IS 'When it came.';
CREATE TRIGGER edge_conflict_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON edge_conflict
    EXECUTE FUNCTION refuse('what an edge told is kept for ever');

CREATE TABLE station_cycle (
    station_id BIGINT PRIMARY KEY REFERENCES weigh_station (id),
    epoch UUID NOT NULL,
    last_seq BIGINT NOT NULL DEFAULT 0,
    state JSONB NOT NULL DEFAULT '{}',
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT station_cycle_epoch_key UNIQUE (epoch)
);
COMMENT ON TABLE station_cycle IS 'Where a station that is fed by HTTP stands in its cycle from zero to zero.';
COMMENT ON COLUMN station_cycle.station_id IS 'The station.';
COMMENT ON COLUMN station_cycle.epoch IS 'Epoch under which its events are stored.';
COMMENT ON COLUMN station_cycle.last_seq IS 'Seq of its last event.';
COMMENT ON COLUMN station_cycle.state IS 'State of the capture logic.';
COMMENT ON COLUMN station_cycle.updated_at IS 'When it last moved.';
CREATE TRIGGER station_cycle_touch BEFORE UPDATE ON station_cycle FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

CREATE TABLE capture (
    id BIGSERIAL PRIMARY KEY,
    station_id BIGINT NOT NULL REFERENCES weigh_station (id),
    cycle UUID NOT NULL,
    epoch UUID NOT NULL,
    seq BIGINT NOT NULL,
    weight DECIMAL(10, 2) NOT NULL,
    gap BOOLEAN NOT NULL DEFAULT FALSE,
    doubtful BOOLEAN NOT NULL DEFAULT FALSE,
    raw TEXT,
    curve JSONB,
    on_at TIMESTAMPTZ,
    captured_at TIMESTAMPTZ NOT NULL,
    edge_at TIMESTAMPTZ,
    received_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    state VARCHAR(20) NOT NULL DEFAULT 'UNASSIGNED',
    record_id BIGINT,
    decided_by BIGINT REFERENCES app_user (id),
    decided_at TIMESTAMPTZ,
    decided_why TEXT,
    CONSTRAINT capture_cycle_key UNIQUE (cycle),
    CONSTRAINT capture_event_key UNIQUE (epoch, seq),
    CONSTRAINT capture_event_fkey FOREIGN KEY (epoch, seq) REFERENCES edge_event (epoch, seq)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT capture_weight_is_not_negative CHECK (weight >= 0),
    CONSTRAINT capture_state_is_known CHECK (state IN ('UNASSIGNED', 'ASSIGNED', 'DISMISSED')),
    CONSTRAINT capture_is_assigned_to_a_record CHECK ((state = 'ASSIGNED') = (record_id IS NOT NULL)),
    CONSTRAINT capture_is_dismissed_for_a_reason CHECK (state <> 'DISMISSED' OR decided_why IS NOT NULL)
);
CREATE INDEX idx_capture_state ON capture (state, captured_at);
CREATE INDEX idx_capture_station ON capture (station_id, captured_at);
CREATE INDEX idx_capture_record ON capture (record_id) WHERE record_id IS NOT NULL;
CREATE INDEX idx_capture_curve ON capture (captured_at) WHERE curve IS NOT NULL;
COMMENT ON TABLE capture IS 'A stable weight that was taken while a vehicle stood on the deck. Nothing weighed is ever lost.';
COMMENT ON COLUMN capture.id IS 'Primary key.';
COMMENT ON COLUMN capture.station_id IS 'Where it was taken.';
COMMENT ON COLUMN capture.cycle IS 'The stay from zero to zero; one capture each.';
COMMENT ON COLUMN capture.epoch IS 'Epoch of the event it came by.';
COMMENT ON COLUMN capture.seq IS 'Seq of that event.';
COMMENT ON COLUMN capture.weight IS 'The weight in kg.';
COMMENT ON COLUMN capture.gap IS 'Taken after an outage that may hide another truck: never completes a record by itself.';
COMMENT ON COLUMN capture.doubtful IS 'Its time is doubtful.';
COMMENT ON COLUMN capture.raw IS 'The indicator''s frame, in hex.';
COMMENT ON COLUMN capture.curve IS 'How the weight settled: [milliseconds since drive-on, kg] each; erased after the time of keeping.';
COMMENT ON COLUMN capture.on_at IS 'When the vehicle drove on, by corrected time.';
COMMENT ON COLUMN capture.captured_at IS 'When the weight was taken, by corrected time.';
COMMENT ON COLUMN capture.edge_at IS 'The same by the edge''s own clock.';
COMMENT ON COLUMN capture.received_at IS 'When the server stored it.';
COMMENT ON COLUMN capture.state IS 'UNASSIGNED, ASSIGNED to a record, or DISMISSED by staff.';
COMMENT ON COLUMN capture.record_id IS 'The weighing that took it.';
COMMENT ON COLUMN capture.decided_by IS 'Who of staff assigned or dismissed it; NULL: it was assigned by the rules.';
COMMENT ON COLUMN capture.decided_at IS 'When that was.';
COMMENT ON COLUMN capture.decided_why IS 'Why it was decided so.';
CREATE TRIGGER capture_is_final BEFORE UPDATE ON capture FOR EACH ROW
    EXECUTE FUNCTION refuse_change('state', 'record_id', 'decided_by', 'decided_at', 'decided_why', 'curve');
CREATE TRIGGER capture_curve_is_only_erased BEFORE UPDATE OF curve ON capture FOR EACH ROW
    WHEN (NEW.curve IS NOT NULL AND NEW.curve IS DISTINCT FROM OLD.curve)
    EXECUTE FUNCTION refuse('a curve may be erased, not changed');
CREATE TRIGGER capture_stays BEFORE DELETE OR TRUNCATE ON capture
    EXECUTE FUNCTION refuse('nothing weighed is ever lost');
