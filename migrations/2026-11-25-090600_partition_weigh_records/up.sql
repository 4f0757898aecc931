-- A partition for each month, made ahead of time or on demand; there is no default one, for rows that stray into it
-- would block every partition made later.
-- Months are Korean ones whatever zone a session has: a statistic of one month then reads one partition.

CREATE FUNCTION ensure_weigh_record_partition(moment TIMESTAMPTZ) RETURNS TEXT LANGUAGE plpgsql AS $$
DECLARE
    first_day timestamp := date_trunc('month', moment AT TIME ZONE 'Asia/Seoul');
    starts timestamptz := first_day AT TIME ZONE 'Asia/Seoul';
    ends timestamptz := (first_day + interval '1 month') AT TIME ZONE 'Asia/Seoul';
    partition text := 'weigh_record_' || to_char(first_day, 'YYYY_MM');
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN partition;
    END IF;
    -- Attaching takes this lock too; taken first, it lets one of several callers through and neither readers nor
    -- writers wait. An advisory lock would not do: its holder may still believe that the partition is missing.
    LOCK TABLE ONLY weigh_record IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(partition) IS NULL THEN
        -- Attached rather than created in place: that would lock all readers of the table out.
        EXECUTE format('CREATE TABLE %I (LIKE weigh_record INCLUDING ALL)', partition);
        EXECUTE format('ALTER TABLE weigh_record ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, starts, ends);
    END IF;
    RETURN partition;
END
$$;
COMMENT ON FUNCTION ensure_weigh_record_partition(TIMESTAMPTZ) IS 'Makes the partition of weigh_record that holds this moment, if it is missing, and names it. Any number of callers at once make one.';

SELECT ensure_weigh_record_partition(now());
SELECT ensure_weigh_record_partition(now() + interval '1 month');
