-- A wish of the capture settings that does not go with a station's own settings is not followed by its edge, which says so:
-- staff see it where they made the wish.

ALTER TABLE weigh_station ADD COLUMN capture_unfit JSONB NOT NULL DEFAULT '[]';
COMMENT ON COLUMN weigh_station.capture_unfit IS 'What of capture_settings and division its edge does not follow, and why: [{"key","value","why"}]. As the edge said last.';
