-- The waiting line of a site. A number once shown to a driver never changes; his place in the line is another column.
-- Who is called where is kept by unique indexes: two clerks who call at the same moment cannot both succeed.

CREATE TABLE wait_queue (
    id BIGSERIAL PRIMARY KEY,
    driver_id BIGINT NOT NULL REFERENCES driver (id),
    vehicle_id BIGINT NOT NULL REFERENCES vehicle (id),
    station_id BIGINT REFERENCES weigh_station (id),
    queue_number INTEGER NOT NULL,
    status VARCHAR(20) NOT NULL DEFAULT 'WAITING',
    estimated_time INTEGER,
    called_at TIMESTAMPTZ,
    completed_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    site_id BIGINT NOT NULL REFERENCES site (id),
    day DATE NOT NULL,
    position DOUBLE PRECISION NOT NULL,
    priority BOOLEAN NOT NULL DEFAULT FALSE,
    priority_reason TEXT,
    product_id BIGINT REFERENCES product (id),
    customer_id BIGINT REFERENCES customer (id),
    direction VARCHAR(3),
    record_id BIGINT,
    capture_id BIGINT,
    deadline_at TIMESTAMPTZ,
    calls_made INTEGER NOT NULL DEFAULT 0,
    acknowledged_at TIMESTAMPTZ,
    CONSTRAINT wait_queue_number_key UNIQUE (site_id, day, queue_number),
    CONSTRAINT wait_queue_capture_fkey FOREIGN KEY (capture_id) REFERENCES capture (id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT wait_queue_number_counts_from_one CHECK (queue_number >= 1),
    CONSTRAINT wait_queue_status_is_known
        CHECK (status IN ('WAITING', 'CALLED', 'COMPLETED', 'CANCELLED', 'NO_SHOW', 'REVIEW')),
    CONSTRAINT wait_queue_direction_is_known CHECK (direction IN ('IN', 'OUT')),
    CONSTRAINT wait_queue_called_to_a_station CHECK (
        status <> 'CALLED' OR num_nulls(station_id, called_at, record_id) = 0),
    CONSTRAINT wait_queue_priority_has_a_reason CHECK (NOT priority OR priority_reason IS NOT NULL)
);
CREATE INDEX idx_queue_status ON wait_queue (status, created_at);
CREATE INDEX idx_queue_line ON wait_queue (site_id, position) WHERE status = 'WAITING';
CREATE INDEX idx_queue_vehicle ON wait_queue (vehicle_id);
CREATE INDEX idx_queue_record ON wait_queue (record_id) WHERE record_id IS NOT NULL;
CREATE UNIQUE INDEX wait_queue_one_open_per_driver ON wait_queue (driver_id) WHERE status IN ('WAITING', 'CALLED');
CREATE UNIQUE INDEX wait_queue_one_called_per_station ON wait_queue (station_id) WHERE status = 'CALLED';
COMMENT ON TABLE wait_queue IS 'A truck''s place in the line, from check-in to its leaving (대기열).';
COMMENT ON COLUMN wait_queue.id IS 'Primary key.';
COMMENT ON COLUMN wait_queue.driver_id IS 'The driver (운전기사).';
COMMENT ON COLUMN wait_queue.vehicle_id IS 'The vehicle (차량).';
COMMENT ON COLUMN wait_queue.station_id IS 'The station it is called to (배정 계량대).';
COMMENT ON COLUMN wait_queue.queue_number IS 'Number shown to the driver (대기 순번), from 1 each day; never changes.';
COMMENT ON COLUMN wait_queue.status IS 'WAITING, CALLED, COMPLETED, CANCELLED, NO_SHOW or REVIEW (상태); open are the first two.';
COMMENT ON COLUMN wait_queue.estimated_time IS 'Estimated wait in minutes (예상 대기시간).';
COMMENT ON COLUMN wait_queue.called_at IS 'When the present or last call was made (호출 시각).';
COMMENT ON COLUMN wait_queue.completed_at IS 'When the truck left weighed (완료 시각).';
COMMENT ON COLUMN wait_queue.created_at IS 'When it checked in (생성일시).';
COMMENT ON COLUMN wait_queue.site_id IS 'The site whose line it is.';
COMMENT ON COLUMN wait_queue.day IS 'Site-local day of the check-in, within which the number is unique.';
COMMENT ON COLUMN wait_queue.position IS 'Order in the line, lowest first; what a move changes.';
COMMENT ON COLUMN wait_queue.priority IS 'Whether it goes before the others.';
COMMENT ON COLUMN wait_queue.priority_reason IS 'Why it does.';
COMMENT ON COLUMN wait_queue.product_id IS 'What it carries or fetches (품명).';
COMMENT ON COLUMN wait_queue.customer_id IS 'For whom (거래처).';
COMMENT ON COLUMN wait_queue.direction IS 'IN or OUT (입고, 출고).';
COMMENT ON COLUMN wait_queue.record_id IS 'Its weighing; no reference, for weigh_record has no key without its month.';
COMMENT ON COLUMN wait_queue.capture_id IS 'The capture that the present call has taken.';
COMMENT ON COLUMN wait_queue.deadline_at IS 'When the call ends as a no-show; NULL while no deadline runs.';
COMMENT ON COLUMN wait_queue.calls_made IS 'How often it was called.';
COMMENT ON COLUMN wait_queue.acknowledged_at IS 'When the driver said that he comes.';

CREATE TABLE queue_counter (
    site_id BIGINT NOT NULL REFERENCES site (id),
    day DATE NOT NULL,
    last_number INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (site_id, day),
    CONSTRAINT queue_counter_counts_from_zero CHECK (last_number >= 0)
);
COMMENT ON TABLE queue_counter IS 'The last queue number of each day.';
COMMENT ON COLUMN queue_counter.site_id IS 'The site.';
COMMENT ON COLUMN queue_counter.day IS 'The site-local day.';
COMMENT ON COLUMN queue_counter.last_number IS 'The last number given, 0 before the first.';
CREATE TRIGGER queue_counter_never_falls BEFORE UPDATE ON queue_counter FOR EACH ROW
    WHEN (NEW.last_number < OLD.last_number) EXECUTE FUNCTION refuse('a number once given is not given again');
