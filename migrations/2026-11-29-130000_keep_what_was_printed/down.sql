ALTER TABLE capture DROP COLUMN receipt;
