-- Whether a vehicle stands on a station's deck is remembered apart from the station's status: an indicator that falls silent
-- under a truck takes the status to ERROR and back, and the truck stands there all the while.

ALTER TABLE weigh_station ADD COLUMN deck_cycle UUID;
COMMENT ON COLUMN weigh_station.deck_cycle IS 'The cycle of the vehicle on its deck, all zeros where that is not known; NULL while nothing stands there.';

UPDATE weigh_station SET deck_cycle = '00000000-0000-0000-0000-000000000000' WHERE status = 'WEIGHING';
