-- The weighings themselves, and the numbers of their slips.
-- weigh_record grows for ever, so it is partitioned by month. PostgreSQL keeps no unique key across partitions without
-- the partition key in it: that a slip number is unique and belongs to one record is kept by the table slip.

CREATE TABLE slip (
    slip_number VARCHAR(20) PRIMARY KEY,
    site_id BIGINT NOT NULL REFERENCES site (id),
    day DATE NOT NULL,
    number INTEGER NOT NULL,
    record_id BIGINT,
    state VARCHAR(10) NOT NULL DEFAULT 'ISSUED',
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT slip_record_id_key UNIQUE (record_id),
    CONSTRAINT slip_number_of_record_key UNIQUE (slip_number, record_id),
    CONSTRAINT slip_number_of_day_key UNIQUE (site_id, day, number),
    CONSTRAINT slip_counts_from_one CHECK (number >= 1),
    CONSTRAINT slip_number_is_well_formed CHECK (slip_number ~ '^[A-Z0-9]*[A-Z][0-9]{11,}$'),
    CONSTRAINT slip_number_ends_in_its_number CHECK (
        "right"(slip_number, greatest(3, length(number::text)))
        = lpad(number::text, greatest(3, length(number::text)), '0')),
    CONSTRAINT slip_state_is_known CHECK (state IN ('ISSUED', 'LOST')),
    CONSTRAINT slip_is_issued_to_a_record CHECK ((state = 'ISSUED') = (record_id IS NOT NULL))
);
COMMENT ON TABLE slip IS 'Every slip number (전표번호) ever issued, and the record it stands for.';
COMMENT ON COLUMN slip.slip_number IS 'Prefix of the site, local date, number of at least three digits.';
COMMENT ON COLUMN slip.site_id IS 'The site whose numbering it belongs to.';
COMMENT ON COLUMN slip.day IS 'Site-local day of weighed_at.';
COMMENT ON COLUMN slip.number IS 'Number within that day, from 1, without unexplained gaps.';
COMMENT ON COLUMN slip.record_id IS 'The record; no reference, for weigh_record has no key without its month.';
COMMENT ON COLUMN slip.state IS 'ISSUED; LOST: known to have been skipped or printed before the database was restored, filled if its receipt comes back.';
COMMENT ON COLUMN slip.created_at IS 'When the row was made (생성일시).';
CREATE TRIGGER slip_issued_is_final BEFORE UPDATE ON slip FOR EACH ROW WHEN (OLD.state = 'ISSUED')
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER slip_lost_is_only_filled BEFORE UPDATE ON slip FOR EACH ROW WHEN (OLD.state = 'LOST')
    EXECUTE FUNCTION refuse_change('state', 'record_id');
CREATE TRIGGER slip_stays BEFORE DELETE OR TRUNCATE ON slip
    EXECUTE FUNCTION refuse('a slip number once issued stays explained');

CREATE TABLE slip_counter (
    site_id BIGINT NOT NULL REFERENCES site (id),
    day DATE NOT NULL,
    last_number INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (site_id, day),
    CONSTRAINT slip_counter_counts_from_zero CHECK (last_number >= 0)
);
COMMENT ON TABLE slip_counter IS 'The last slip number of each day: a row, for a sequence would leave gaps.';
COMMENT ON COLUMN slip_counter.site_id IS 'The site.';
COMMENT ON COLUMN slip_counter.day IS 'The site-local day.';
COMMENT ON COLUMN slip_counter.last_number IS 'The last number given, 0 before the first; locked last in a transaction.';
CREATE TRIGGER slip_counter_never_falls BEFORE UPDATE ON slip_counter FOR EACH ROW
    WHEN (NEW.last_number < OLD.last_number) EXECUTE FUNCTION refuse('a number once given is not given again');

CREATE TABLE weigh_record (
    id BIGSERIAL NOT NULL,
    station_id BIGINT NOT NULL REFERENCES weigh_station (id),
    vehicle_id BIGINT NOT NULL REFERENCES vehicle (id),
    driver_id BIGINT REFERENCES driver (id),
    gross_weight DECIMAL(10, 2),
    tare_weight DECIMAL(10, 2),
    net_weight DECIMAL(10, 2),
    slip_number VARCHAR(20),
    weighed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    status VARCHAR(20) NOT NULL DEFAULT 'PENDING',
    erp_sent BOOLEAN NOT NULL DEFAULT FALSE,
    erp_sent_at TIMESTAMPTZ,
    erp_response JSONB,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    site_id BIGINT NOT NULL REFERENCES site (id),
    product_id BIGINT REFERENCES product (id),
    customer_id BIGINT REFERENCES customer (id),
    direction VARCHAR(3),
    first_weight DECIMAL(10, 2),
    first_weighed_at TIMESTAMPTZ,
    first_station_id BIGINT REFERENCES weigh_station (id),
    first_capture_id BIGINT,
    second_weight DECIMAL(10, 2),
    second_weighed_at TIMESTAMPTZ,
    second_station_id BIGINT REFERENCES weigh_station (id),
    second_capture_id BIGINT,
    manual BOOLEAN NOT NULL DEFAULT FALSE,
    manual_reason TEXT,
    manual_key UUID,
    voided_at TIMESTAMPTZ,
    voided_by BIGINT REFERENCES app_user (id),
    void_reason TEXT,
    replaces BIGINT,
    revision INTEGER NOT NULL DEFAULT 1,
    overload VARCHAR(20),
    needs_review BOOLEAN NOT NULL DEFAULT FALSE,
    review_reason TEXT,
    reprint_count INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id, weighed_at),
    -- At the end of the transaction, so that slip, captures and record may be written in any order.
    CONSTRAINT weigh_record_slip_fkey FOREIGN KEY (slip_number, id) REFERENCES slip (slip_number, record_id)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT weigh_record_first_capture_fkey FOREIGN KEY (first_capture_id) REFERENCES capture (id)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT weigh_record_second_capture_fkey FOREIGN KEY (second_capture_id) REFERENCES capture (id)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT weigh_record_status_is_known CHECK (status IN ('PENDING', 'WEIGHING', 'COMPLETED', 'VOIDED')),
    CONSTRAINT weigh_record_direction_is_known CHECK (direction IN ('IN', 'OUT')),
    CONSTRAINT weigh_record_completed_has_a_slip CHECK (status <> 'COMPLETED' OR slip_number IS NOT NULL),
    CONSTRAINT weigh_record_open_has_no_slip CHECK (status NOT IN ('PENDING', 'WEIGHING') OR slip_number IS NULL),
    CONSTRAINT weigh_record_slip_has_weights CHECK (
        slip_number IS NULL OR num_nulls(gross_weight, tare_weight, net_weight) = 0),
    CONSTRAINT weigh_record_net_is_gross_less_tare CHECK (net_weight = gross_weight - tare_weight),
    CONSTRAINT weigh_record_gross_exceeds_tare CHECK (gross_weight >= tare_weight),
    CONSTRAINT weigh_record_tare_is_not_negative CHECK (tare_weight >= 0),
    CONSTRAINT weigh_record_first_pass_is_whole CHECK (
        num_nulls(first_weight, first_weighed_at, first_station_id) IN (0, 3)),
    CONSTRAINT weigh_record_second_pass_is_whole CHECK (
        num_nulls(second_weight, second_weighed_at, second_station_id) IN (0, 3)),
    CONSTRAINT weigh_record_second_follows_first CHECK (second_weight IS NULL OR first_weight IS NOT NULL),
    CONSTRAINT weigh_record_manual_has_reason_and_key CHECK (
        NOT manual OR (manual_reason IS NOT NULL AND manual_key IS NOT NULL)),
    CONSTRAINT weigh_record_voided_says_when_and_why CHECK (
        CASE WHEN status = 'VOIDED' THEN voided_at IS NOT NULL AND void_reason IS NOT NULL
             ELSE num_nonnulls(voided_at, voided_by, void_reason) = 0 END),
    CONSTRAINT weigh_record_revision_counts_from_one CHECK (revision >= 1),
    CONSTRAINT weigh_record_reprints_count_from_zero CHECK (reprint_count >= 0)
) PARTITION BY RANGE (weighed_at);
CREATE INDEX idx_record_date ON weigh_record (weighed_at);
CREATE INDEX idx_record_vehicle ON weigh_record (vehicle_id);
CREATE INDEX idx_record_slip ON weigh_record (slip_number);
CREATE INDEX idx_record_erp ON weigh_record (erp_sent, weighed_at);
CREATE INDEX idx_record_vehicle_recent ON weigh_record (vehicle_id, weighed_at DESC);
CREATE INDEX idx_record_driver_recent ON weigh_record (driver_id, weighed_at DESC);
CREATE INDEX idx_record_open ON weigh_record (vehicle_id) WHERE status IN ('PENDING', 'WEIGHING');
CREATE INDEX idx_record_review ON weigh_record (weighed_at) WHERE needs_review;
CREATE INDEX idx_record_replaces ON weigh_record (replaces) WHERE replaces IS NOT NULL;
COMMENT ON TABLE weigh_record IS 'A weighing of a vehicle, open or complete (계량 기록). A completed one is never edited or deleted; a correction voids it and makes another.';
COMMENT ON COLUMN weigh_record.id IS 'Number of the record; unique, also across months.';
COMMENT ON COLUMN weigh_record.station_id IS 'The station it is called to, then the one that completed it (계량대).';
COMMENT ON COLUMN weigh_record.vehicle_id IS 'The vehicle (차량).';
COMMENT ON COLUMN weigh_record.driver_id IS 'The driver (운전기사).';
COMMENT ON COLUMN weigh_record.gross_weight IS 'Weight of vehicle and load in kg (총중량).';
COMMENT ON COLUMN weigh_record.tare_weight IS 'Weight of the empty vehicle in kg (공차중량).';
COMMENT ON COLUMN weigh_record.net_weight IS 'Gross less tare in kg (순중량).';
COMMENT ON COLUMN weigh_record.slip_number IS 'Number of its slip (전표번호); NULL until COMPLETED.';
COMMENT ON COLUMN weigh_record.weighed_at IS 'When it was called, until completion; then when the completing weight was taken (계량일시).';
COMMENT ON COLUMN weigh_record.status IS 'PENDING, WEIGHING, COMPLETED or VOIDED (상태: 대기, 계량중, 완료, 무효).';
COMMENT ON COLUMN weigh_record.erp_sent IS 'Whether the ERP has accepted it (ERP 전송 여부).';
COMMENT ON COLUMN weigh_record.erp_sent_at IS 'When it did (ERP 전송 일시).';
COMMENT ON COLUMN weigh_record.erp_response IS 'What it answered (ERP 응답 데이터).';
COMMENT ON COLUMN weigh_record.created_at IS 'When the row was made (생성일시).';
COMMENT ON COLUMN weigh_record.updated_at IS 'When the row was last changed (수정일시).';
COMMENT ON COLUMN weigh_record.site_id IS 'The site, whose slip numbering counts.';
COMMENT ON COLUMN weigh_record.product_id IS 'What was weighed (품명).';
COMMENT ON COLUMN weigh_record.customer_id IS 'For whom (거래처).';
COMMENT ON COLUMN weigh_record.direction IS 'IN or OUT (입고, 출고).';
COMMENT ON COLUMN weigh_record.first_weight IS 'Weight of the first pass in kg (1차 계량).';
COMMENT ON COLUMN weigh_record.first_weighed_at IS 'When it was taken.';
COMMENT ON COLUMN weigh_record.first_station_id IS 'Where it was taken.';
COMMENT ON COLUMN weigh_record.first_capture_id IS 'The capture it came from; NULL for one entered by hand.';
COMMENT ON COLUMN weigh_record.second_weight IS 'Weight of the second pass in kg (2차 계량); NULL where a registered tare counted.';
COMMENT ON COLUMN weigh_record.second_weighed_at IS 'When it was taken.';
COMMENT ON COLUMN weigh_record.second_station_id IS 'Where it was taken.';
COMMENT ON COLUMN weigh_record.second_capture_id IS 'The capture it came from; NULL for one entered by hand.';
COMMENT ON COLUMN weigh_record.manual IS 'Whether it was entered by hand (수기 입력).';
COMMENT ON COLUMN weigh_record.manual_reason IS 'Why it was.';
COMMENT ON COLUMN weigh_record.manual_key IS 'Random key of a manual record, from which its ERP messages are named.';
COMMENT ON COLUMN weigh_record.voided_at IS 'When it was voided (무효 처리).';
COMMENT ON COLUMN weigh_record.voided_by IS 'Who voided it.';
COMMENT ON COLUMN weigh_record.void_reason IS 'Why.';
COMMENT ON COLUMN weigh_record.replaces IS 'The voided record that this one corrects.';
COMMENT ON COLUMN weigh_record.revision IS 'Which completion of the same capture this is, from 1.';
COMMENT ON COLUMN weigh_record.overload IS 'The gravest finding about the load (과적): OK, LEGAL_OVER, ENFORCEABLE, VEHICLE_OVER, VEHICLE_OVER_110; NULL while open.';
COMMENT ON COLUMN weigh_record.needs_review IS 'Whether staff should look at it.';
COMMENT ON COLUMN weigh_record.review_reason IS 'Why they should.';
COMMENT ON COLUMN weigh_record.reprint_count IS 'How often its slip was printed again.';
CREATE TRIGGER weigh_record_touch BEFORE UPDATE ON weigh_record FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
