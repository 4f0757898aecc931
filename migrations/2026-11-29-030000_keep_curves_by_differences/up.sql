-- A capture's curve by differences: two whole numbers a point in place of a time and a weight in full, half the bytes and
-- the same curve when it is read. A server of the version before goes on writing points; they become steps as they come.

CREATE FUNCTION curve_in_steps(points jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(
        jsonb_agg(jsonb_build_array(ms - lag_ms, hundredths - lag_hundredths) ORDER BY at), '[]'
    )
    FROM (
        SELECT at, ms, hundredths,
            lag(ms, 1, 0::bigint) OVER (ORDER BY at) AS lag_ms,
            lag(hundredths, 1, 0::bigint) OVER (ORDER BY at) AS lag_hundredths
        FROM (
            SELECT at, (point ->> 0)::bigint AS ms, ((point ->> 1)::numeric * 100)::bigint AS hundredths
            FROM jsonb_array_elements(points) WITH ORDINALITY AS listed (point, at)
        ) AS read
    ) AS beside
$$;
COMMENT ON FUNCTION curve_in_steps(jsonb) IS 'A curve given as [milliseconds since drive-on, "kg"] each, by differences.';

ALTER TABLE capture DISABLE TRIGGER capture_curve_is_only_erased;
UPDATE capture SET curve = curve_in_steps(curve) WHERE jsonb_array_length(curve) > 0;
ALTER TABLE capture ENABLE TRIGGER capture_curve_is_only_erased;

CREATE FUNCTION keep_curve_by_differences() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.curve := curve_in_steps(NEW.curve);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION keep_curve_by_differences() IS 'Row trigger: a curve that a server of the version before writes in full becomes one by differences.';
CREATE TRIGGER capture_curve_is_by_differences BEFORE INSERT ON capture FOR EACH ROW
    -- In full the weight is a text.
    WHEN (jsonb_typeof(NEW.curve -> 0 -> 1) = 'string')
    EXECUTE FUNCTION keep_curve_by_differences();

COMMENT ON COLUMN capture.curve IS 'How the weight settled, by differences: [milliseconds, hundredths of a kg] from the point before each, the first since drive-on and zero; erased after the time of keeping.';
