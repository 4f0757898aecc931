-- After a restore the slip counter of each day jumps, from the newest completion to today. Of a site whose newest slip is old
-- these were hundreds of thousands of LOST rows at once, so that no server could start. A day on which nothing was numbered
-- since is now kept in a range, and gets its rows when something is.

CREATE TABLE slip_room (
    id BIGSERIAL PRIMARY KEY,
    site_id BIGINT NOT NULL REFERENCES site (id),
    first_day DATE NOT NULL,
    last_day DATE NOT NULL,
    jump INTEGER NOT NULL,
    made_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT slip_room_is_ascending CHECK (first_day <= last_day),
    CONSTRAINT slip_room_leaves_room CHECK (jump > 0)
);
CREATE INDEX idx_slip_room_site ON slip_room (site_id, last_day);
COMMENT ON TABLE slip_room IS 'Days that may have had slips which a restored database lacks: the first number given there comes after as many LOST ones.';
COMMENT ON COLUMN slip_room.id IS 'Primary key.';
COMMENT ON COLUMN slip_room.site_id IS 'The site.';
COMMENT ON COLUMN slip_room.first_day IS 'The first such day.';
COMMENT ON COLUMN slip_room.last_day IS 'The last, included: the day of the restore.';
COMMENT ON COLUMN slip_room.jump IS 'How many numbers are left free; those of ranges that overlap add up.';
COMMENT ON COLUMN slip_room.made_at IS 'When the restore was noticed.';

CREATE FUNCTION slip_room_of(wanted_site bigint, wanted_day date) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(jump), 0)::integer FROM slip_room
    WHERE site_id = wanted_site AND wanted_day BETWEEN first_day AND last_day
$$;
COMMENT ON FUNCTION slip_room_of(bigint, date) IS 'How many numbers a day leaves free for slips that a restored database lacks.';

CREATE FUNCTION explain_slip_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO slip (slip_number, site_id, day, number, state)
    SELECT site.slip_prefix || to_char(NEW.day, 'YYYYMMDD') || lpad(n::text, greatest(3, length(n::text)), '0'),
        NEW.site_id, NEW.day, n, 'LOST'
    FROM site
    CROSS JOIN generate_series(1, least(slip_room_of(NEW.site_id, NEW.day), NEW.last_number)) AS n
    WHERE site.id = NEW.site_id
    ON CONFLICT (slip_number) DO NOTHING;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION explain_slip_room() IS 'Row trigger: the numbers that a day leaves free are LOST until receipts fill them.';
CREATE TRIGGER slip_counter_explains_its_room AFTER INSERT ON slip_counter FOR EACH ROW
    EXECUTE FUNCTION explain_slip_room();
