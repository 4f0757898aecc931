-- How far a station is from where trucks wait. A truck that stands on the deck sooner than the called one can have come is
-- another: it takes neither the call nor the next one.

ALTER TABLE weigh_station ADD COLUMN least_approach_ms INTEGER NOT NULL DEFAULT 0
    CONSTRAINT weigh_station_approach_is_sane CHECK (least_approach_ms BETWEEN 0 AND 600000);
COMMENT ON COLUMN weigh_station.least_approach_ms IS 'Least time in ms from a call to the first axle on the deck; 0: not known.';
