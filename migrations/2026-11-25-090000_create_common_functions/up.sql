-- What several tables need of the database itself: a modification time that cannot be forgotten, and two ways to say no.
-- A rule that stands in a trigger holds for every program and every hand that opens this database, not for ours alone.

CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION touch_updated_at() IS 'Row trigger: sets updated_at to the time of the transaction.';

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: %', lower(TG_OP), TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END
$$;
COMMENT ON FUNCTION refuse() IS 'Trigger: refuses the statement. Its argument says why; the error names the trigger as its constraint.';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    fixed_before jsonb := to_jsonb(OLD) - TG_ARGV;
    fixed_after jsonb := to_jsonb(NEW) - TG_ARGV;
    changed text;
BEGIN
    IF fixed_before = fixed_after THEN
        RETURN NEW;
    END IF;
    SELECT string_agg(key, ', ' ORDER BY key) INTO changed
    FROM jsonb_each(fixed_after) WHERE value IS DISTINCT FROM fixed_before -> key;
    RAISE EXCEPTION '% of % may not change any more', changed, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
END
$$;
COMMENT ON FUNCTION refuse_change() IS 'Row trigger: refuses an update of any column but those named in its arguments, so a column added later is protected too.';
