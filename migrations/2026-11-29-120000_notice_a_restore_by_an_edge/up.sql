-- A database whose files were put back (a snapshot of the machine, a cold copy, a dump into the same cluster) says of
-- itself what it said before: only an edge knows that it was told of more. Room for what is missing is made once a restore,
-- though each edge brings the news.

ALTER TABLE database_identity ADD COLUMN room_made_at TIMESTAMPTZ;
COMMENT ON COLUMN database_identity.room_made_at IS 'When room was last made for what a restored database lacks; NULL: never.';

ALTER TABLE edge_epoch ADD COLUMN gone_back_from BIGINT;
COMMENT ON COLUMN edge_epoch.gone_back_from IS 'Up to where its events were once acknowledged, as an edge said when fewer were here: the database had gone back. NULL: never.';
