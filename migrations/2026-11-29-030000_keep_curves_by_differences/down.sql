DROP TRIGGER capture_curve_is_by_differences ON capture;
DROP FUNCTION keep_curve_by_differences();
DROP FUNCTION curve_in_steps(jsonb);

-- The sums again, each weight a text with two decimals.
ALTER TABLE capture DISABLE TRIGGER capture_curve_is_only_erased;
UPDATE capture SET curve = (
    SELECT jsonb_agg(jsonb_build_array(ms, (hundredths / 100)::numeric(12, 2)::text) ORDER BY at)
    FROM (
        SELECT at, sum((step ->> 0)::bigint) OVER (ORDER BY at) AS ms,
            sum((step ->> 1)::numeric) OVER (ORDER BY at) AS hundredths
        FROM jsonb_array_elements(capture.curve) WITH ORDINALITY AS listed (step, at)
    ) AS summed
)
WHERE jsonb_array_length(curve) > 0;
ALTER TABLE capture ENABLE TRIGGER capture_curve_is_only_erased;
COMMENT ON COLUMN capture.curve IS 'How the weight settled: [milliseconds since drive-on, kg] each; erased after the time of keeping.';
