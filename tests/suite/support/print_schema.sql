-- The whole of src/db/schema.rs, one line a row, as the migrated database says it.
WITH tables AS (
    SELECT oid, relname::text AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
      AND relname <> '__diesel_schema_migrations'
),
columns AS (
    SELECT tables.name AS table_name, attribute.attnum, attribute.attname::text AS name,
        CASE WHEN attribute.attname = 'type' THEN 'type_' ELSE attribute.attname::text END AS rust_name,
        CASE format_type(attribute.atttypid, NULL)
            WHEN 'bigint' THEN 'Int8'
            WHEN 'bigint[]' THEN 'Array<Int8>'
            WHEN 'boolean' THEN 'Bool'
            WHEN 'bytea' THEN 'Bytea'
            WHEN 'character varying' THEN 'Varchar'
            WHEN 'date' THEN 'Date'
            WHEN 'double precision' THEN 'Float8'
            WHEN 'integer' THEN 'Int4'
            WHEN 'jsonb' THEN 'Jsonb'
            WHEN 'numeric' THEN 'Numeric'
            WHEN 'smallint' THEN 'Int2'
            WHEN 'text' THEN 'Text'
            WHEN 'text[]' THEN 'Array<Text>'
            WHEN 'timestamp with time zone' THEN 'Timestamptz'
            WHEN 'uuid' THEN 'Uuid'
            ELSE 'no Diesel type is known for ' || format_type(attribute.atttypid, NULL)
        END AS type,
        attribute.attnotnull AS required
    FROM tables JOIN pg_attribute AS attribute ON attribute.attrelid = tables.oid
    WHERE attribute.attnum > 0 AND NOT attribute.attisdropped
),
keys AS (
    SELECT tables.name AS table_name, string_agg(attribute.attname, ', ' ORDER BY place) AS columns
    FROM tables JOIN pg_constraint AS key ON key.conrelid = tables.oid AND key.contype = 'p'
    CROSS JOIN unnest(key.conkey) WITH ORDINALITY AS part (attnum, place)
    JOIN pg_attribute AS attribute ON attribute.attrelid = tables.oid AND attribute.attnum = part.attnum
    GROUP BY tables.name
),
-- A join needs no columns named where exactly one single-column reference leads from one table to the other.
joins AS (
    SELECT child.name AS child, parent.name AS parent, min(attribute.attname) AS column_name
    FROM pg_constraint AS reference
    JOIN tables AS child ON child.oid = reference.conrelid
    JOIN tables AS parent ON parent.oid = reference.confrelid
    JOIN pg_attribute AS attribute ON attribute.attrelid = child.oid AND attribute.attnum = reference.conkey[1]
    WHERE reference.contype = 'f' AND child.oid <> parent.oid
    GROUP BY child.name, parent.name
    HAVING count(*) = 1 AND min(cardinality(reference.conkey)) = 1
),
one_way_joins AS (
    SELECT * FROM joins WHERE NOT EXISTS (
        SELECT FROM joins AS back WHERE back.child = joins.parent AND back.parent = joins.child)
),
lines AS (
    SELECT 1 AS section, table_name, 0 AS place, format(E'\ndiesel::table! {\n    %s (%s) {', table_name, columns) AS line
    FROM keys
    UNION ALL
    SELECT 1, table_name, attnum, concat(
        CASE WHEN name <> rust_name THEN format(E'        #[sql_name = "%s"]\n', name) END,
        '        ', rust_name, ' -> ',
        CASE WHEN required THEN type ELSE format('Nullable<%s>', type) END, ',')
    FROM columns
    UNION ALL
    SELECT 1, name, 10000, E'    }\n}' FROM tables
    UNION ALL
    SELECT 2, '', 0, ''
    UNION ALL
    SELECT 2, child, row_number() OVER (PARTITION BY child ORDER BY parent)::int,
        format('diesel::joinable!(%s -> %s (%s));', child, parent, column_name)
    FROM one_way_joins
    UNION ALL
    SELECT 3, '', 0, E'\ndiesel::allow_tables_to_appear_in_same_query!('
    UNION ALL
    SELECT 3, name, 0, format('    %s,', name) FROM tables
    UNION ALL
    SELECT 4, '', 0, ');'
)
SELECT line FROM lines ORDER BY section, table_name COLLATE "C", place
