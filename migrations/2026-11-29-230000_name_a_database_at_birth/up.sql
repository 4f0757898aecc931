-- An edge keeps what it was told of each weighing, and brings it again should the database be restored. One that comes from
-- another server brings the receipts of that: a database has a name from birth, so that it believes its own alone.

ALTER TABLE database_identity ADD COLUMN birth_name UUID NOT NULL DEFAULT gen_random_uuid();
COMMENT ON COLUMN database_identity.birth_name IS 'Drawn at random once; a backup, and so what is restored of it, keeps it. Receipts carry it.';
