ALTER TABLE weigh_station DROP COLUMN capture_unfit;
