ALTER TABLE database_identity DROP COLUMN birth_name;
