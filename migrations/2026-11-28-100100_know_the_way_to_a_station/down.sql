ALTER TABLE weigh_station DROP COLUMN least_approach_ms;
