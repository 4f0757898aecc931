ALTER TABLE weigh_station DROP COLUMN deck_cycle;
