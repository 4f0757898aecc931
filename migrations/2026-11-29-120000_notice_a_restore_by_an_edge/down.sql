ALTER TABLE edge_epoch DROP COLUMN gone_back_from;
ALTER TABLE database_identity DROP COLUMN room_made_at;
