a: CREATE TABLE bulk.t (id INTEGER PRIMARY KEY, d INTEGER DEFAULT 7, s TEXT DEFAULT 'x', n NUMERIC(20, 6), b BIT(4), g BIGINT GENERATED ALWAYS AS id + 1, p GEO_POINT, at TIMESTAMP WITH TIME ZONE, f DOUBLE PRECISION, r REAL, o OBJECT(DYNAMIC) AS (k INTEGER), l ARRAY(TEXT), bi BIGINT, c CHARACTER(3)) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)
a: INSERT INTO bulk.t (id, d, s, n, p, at, f, r, o, l, bi, c) VALUES (1, NULL, NULL, 12345678901234.567891, [9.7438, 47.4124], '1500-01-01', 'NaN', 1.1, {k = 1, q = 'ä'}, ['a"b', NULL, ''], 9007199254740993, 'a')
a: INSERT INTO bulk.t (id, d, s, n, f, r) VALUES (2, 1, '', 1.5, 0.1, 'Infinity')
a: INSERT INTO bulk.t (id) VALUES (3)
a: CREATE TABLE bulk.part (id INTEGER, t TEXT, m TIMESTAMP WITH TIME ZONE, z BOOLEAN, k BIGINT) PARTITIONED BY (t, m, z, k) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)
a: INSERT INTO bulk.part (id, t, m, z, k) VALUES (1, 'it''s', '2026-02-01', true, 5), (2, NULL, NULL, NULL, NULL), (3, '', '2026-03-01', false, -7), (4, 'x{a}', '1969-01-01', true, 0)
a: CREATE TABLE bulk."a$b" (id INTEGER) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)
a: INSERT INTO bulk."a$b" (id) VALUES (1), (2)
a: CREATE TABLE bulk.empty (id INTEGER) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)
a: REFRESH TABLE bulk.t, bulk.part, bulk."a$b"
a: CREATE VIEW bulk.seen AS SELECT 1
a: CREATE REPOSITORY bulk_r TYPE bogus WITH (location = 'x')
a: CREATE REPOSITORY bulk_r TYPE fs
a: CREATE REPOSITORY bulk_r TYPE fs WITH (bogus = 'x', location = 'y')
a: CREATE REPOSITORY bulk_r TYPE fs WITH (location = '/etc/nope')
a: CREATE REPOSITORY bulk_r TYPE fs WITH ("location" = $1, "readonly" = 'true') -- DIR/bulk-none
a: CREATE REPOSITORY bulk_r TYPE fs WITH ("location" = $1, "compress" = 'true') -- DIR/bulk-snapshots
a: CREATE REPOSITORY bulk_r TYPE fs WITH ("location" = $1) -- DIR/bulk-snapshots
b: CREATE REPOSITORY bulk_r TYPE fs WITH ("location" = $1, "readonly" = 'true') -- DIR/bulk-snapshots
b: SELECT name, type, settings FROM sys.repositories WHERE name = 'bulk_r'
a: CREATE SNAPSHOT nope.s TABLE bulk.t
a: CREATE SNAPSHOT bulk_r.s TABLE bulk.nope
a: CREATE SNAPSHOT bulk_r.s TABLE bulk.seen
a: CREATE SNAPSHOT bulk_r."S" TABLE bulk.t
a: CREATE SNAPSHOT bulk_r."a b" TABLE bulk.t
a: CREATE SNAPSHOT bulk_r."_s" TABLE bulk.t
a: CREATE SNAPSHOT bulk_r.s TABLE bulk.t WITH (bogus = 1)
a: CREATE SNAPSHOT bulk_r.s TABLE bulk.part PARTITION (t = 'nope', m = 0, z = true, k = 1)
a: CREATE SNAPSHOT bulk_r.s TABLE bulk.part PARTITION (t = 'nope', m = 0)
a: CREATE SNAPSHOT bulk_r.one TABLE bulk.part PARTITION (t = 'it''s', m = '1769904000000', z = 'true', k = '5') WITH (wait_for_completion = true)
a: CREATE SNAPSHOT bulk_r.none TABLE bulk.part PARTITION (t = NULL, m = NULL, z = NULL, k = NULL) WITH (wait_for_completion = true)
a: CREATE SNAPSHOT bulk_r.whole TABLE bulk.t, bulk.part, bulk."a$b", bulk.empty WITH (wait_for_completion = false)
settle
a: CREATE SNAPSHOT bulk_r.whole TABLE bulk.t
b: CREATE SNAPSHOT bulk_r.more ALL
b: DROP SNAPSHOT bulk_r.whole
b: SELECT name, state, failures, include_global_state, reason, total_shards FROM sys.snapshots WHERE repository = 'bulk_r' ORDER BY 1
b: SELECT table_partitions['values'], relations['table_name'], finished >= started FROM sys.snapshots WHERE repository = 'bulk_r' AND name = 'one'
b: SELECT table_partitions['values'], relations['table_name'], finished >= started FROM sys.snapshots WHERE repository = 'bulk_r' AND name = 'none'
b: RESTORE SNAPSHOT bulk_r.whole TABLE "transship"."no such table"
b: RESTORE SNAPSHOT bulk_r.gone TABLE "transship"."no such table"
b: RESTORE SNAPSHOT bulk_none.gone TABLE "transship"."no such table"
b: RESTORE SNAPSHOT bulk_r.whole TABLE bulk.t WITH (schema_rename_pattern = '^\Qbulk\E$', schema_rename_replacement = 'bulk', table_rename_pattern = '^\Qt\E$', table_rename_replacement = 'new', wait_for_completion = false)
settle
b: SELECT count(*) FROM sys.snapshot_restore
b: SELECT health, missing_shards, table_name FROM sys.health WHERE table_schema = 'bulk' ORDER BY 3
b: SELECT id, d, s, n, g, _doc['p'], f, r, l FROM bulk.new ORDER BY id
b: SELECT table_name, number_of_shards FROM information_schema.tables WHERE table_schema = 'bulk' ORDER BY 1
b: RESTORE SNAPSHOT bulk_r.whole TABLE bulk.t WITH (table_rename_replacement = 'new', wait_for_completion = true)
b: RESTORE SNAPSHOT bulk_r.whole TABLE bulk."a$b" WITH (schema_rename_pattern = '^\Qbulk\E$', schema_rename_replacement = 'bulk', table_rename_pattern = '^\Qa$b\E$', table_rename_replacement = 'c\$1', wait_for_completion = true)
b: SELECT count(*) FROM bulk."c$1"
b: RESTORE SNAPSHOT bulk_r.whole TABLE bulk.t WITH (table_rename_pattern = '^t$', wait_for_completion = true)
b: RESTORE SNAPSHOT bulk_r.whole TABLE bulk.t WITH (table_rename_replacement = 'a b', wait_for_completion = true)
b: RESTORE SNAPSHOT bulk_r.whole TABLE bulk.part PARTITION (t = 'it''s', m = '1769904000000', z = 'true', k = '5') WITH (table_rename_replacement = 'p', wait_for_completion = true)
b: SELECT count(*) FROM bulk.p
b: RESTORE SNAPSHOT bulk_r.whole TABLE bulk.part PARTITION (t = NULL, m = NULL, z = NULL, k = NULL) WITH (table_rename_replacement = 'p', wait_for_completion = true)
b: RESTORE SNAPSHOT bulk_r.whole TABLE bulk.part PARTITION (t = 'it''s', m = '1769904000000', z = 't', k = '5'), bulk.part PARTITION (t = '', m = '1772323200000', z = 'f', k = '-7') WITH (table_rename_replacement = 'p', wait_for_completion = true)
b: RESTORE SNAPSHOT bulk_r.whole TABLE bulk.part PARTITION (t = '', m = '1772323200000', z = 'f', k = '-7') WITH (table_rename_replacement = 'p', wait_for_completion = true)
b: RESTORE SNAPSHOT bulk_r.whole TABLE bulk.part PARTITION (t = 'x{a}', m = '-31536000000', z = 't', k = '0') WITH (table_rename_replacement = 'p', wait_for_completion = true)
b: SELECT id, t, m, z, k FROM bulk.p ORDER BY id
b: CREATE VIEW bulk.taken AS SELECT id FROM bulk.p
b: RESTORE SNAPSHOT bulk_r.whole TABLE bulk.part WITH (table_rename_replacement = 'taken', wait_for_completion = true)
b: ALTER TABLE bulk.new RENAME TO old
b: CREATE VIEW bulk.new AS SELECT id FROM bulk.p
b: DROP TABLE bulk.old
b: CREATE TABLE bulk.other (id INTEGER) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)
b: ALTER CLUSTER SWAP TABLE bulk.other TO bulk.old WITH (drop_source = true)
b: DROP VIEW bulk.new
b: DROP TABLE bulk.old
a: CREATE REPOSITORY bulk_r2 TYPE fs WITH (location = $1) -- DIR/bulk-snapshots
a: CREATE SNAPSHOT bulk_r2.late TABLE bulk.empty WITH (wait_for_completion = true)
a: SELECT repository, name FROM sys.snapshots WHERE repository LIKE 'bulk_r%' ORDER BY 1, 2
a: CREATE SNAPSHOT bulk_r.never TABLE bulk.empty WITH (wait_for_completion = true)
a: RESTORE SNAPSHOT bulk_r.whole TABLE "transship"."no such table"
a: DROP SNAPSHOT bulk_r.whole
a: DROP REPOSITORY bulk_r
a: DROP SNAPSHOT bulk_r2.nope
a: DROP SNAPSHOT bulk_r2.whole
a: DROP SNAPSHOT bulk_r2.one
a: DROP SNAPSHOT bulk_r2.late
a: DROP SNAPSHOT bulk_r2.none
b: SELECT count(*) FROM sys.snapshots WHERE repository = 'bulk_r'
a: DROP REPOSITORY bulk_r2
a: DROP REPOSITORY bulk_r2
b: DROP REPOSITORY bulk_r
a: COPY bulk.t TO $1 -- DIR/bulk-out
a: COPY bulk.t TO DIRECTORY $1 -- DIR/bulk-missing
a: COPY bulk.t TO DIRECTORY $1 WITH (format = 'csv') -- DIR/bulk-out
a: COPY bulk.t TO DIRECTORY $1 WITH (compression = 'none') -- DIR/bulk-out
a: COPY bulk.t TO DIRECTORY $1 WITH (bogus = 1) -- DIR/bulk-out
a: COPY bulk.t TO DIRECTORY $1 WITH (format = 'json_array') -- DIR/bulk-out
a: COPY bulk.t TO DIRECTORY $1 -- ftp://x/y
a: COPY bulk.seen TO DIRECTORY $1 -- DIR/bulk-out
a: COPY bulk.nope TO DIRECTORY $1 -- DIR/bulk-out
a: COPY bulk.t TO DIRECTORY $1 WITH (format = 'json_object') -- DIR/bulk-out
a: COPY bulk.t ("id", "d", "s", "n", "b", "g", "p", "at", "f", "r", "o", "l", "bi", "c") TO DIRECTORY $1 WITH (format = 'json_object', compression = 'gzip') -- file://DIR/bulk-out
a: COPY bulk.empty TO DIRECTORY $1 WITH (format = 'json_object') -- DIR/bulk-out/
a: COPY bulk."a$b" TO DIRECTORY $1 WITH (format = 'json_object') -- DIR/bulk-out/
a: COPY bulk.part PARTITION (t = 'it''s', m = '1769904000000', z = 't', k = '5') TO DIRECTORY $1 WITH (format = 'json_object') -- DIR/bulk-one
a: COPY bulk.part ("id", "t", "m", "z", "k") WHERE (("t" = '' AND "m" = '1772323200000' AND "z" = 'f' AND "k" = '-7') OR ("t" IS NULL AND "m" IS NULL AND "z" IS NULL AND "k" IS NULL)) AND (id > 0) TO DIRECTORY $1 WITH (format = 'json_object') -- DIR/bulk-where
a: COPY bulk.part PARTITION (t = 'it''s', m = '1769904000000', z = 't', k = '5') WHERE id > 0 TO DIRECTORY $1 WITH (format = 'json_object') -- DIR/bulk-both
a: COPY bulk.t ("id", "s") WHERE id = 1 TO DIRECTORY $1 WITH (format = 'json_object') -- DIR/bulk-key
a: COPY bulk.t ("id", "s") WHERE ((id = 1) = true) TO DIRECTORY $1 WITH (format = 'json_object') -- DIR/bulk-true
files
b: CREATE TABLE bulk.t (id INTEGER PRIMARY KEY, d INTEGER DEFAULT 7, s TEXT DEFAULT 'x', n NUMERIC(20, 6), b BIT(4), g BIGINT GENERATED ALWAYS AS id + 1, p GEO_POINT, at TIMESTAMP WITH TIME ZONE, f DOUBLE PRECISION, r REAL, o OBJECT(DYNAMIC) AS (k INTEGER), l ARRAY(TEXT), bi BIGINT, c CHARACTER(3)) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)
b: COPY bulk.t FROM $1::array(text) WITH (format = 'json', shared = true) RETURN SUMMARY -- [DIR/bulk-out/t_0_.json,DIR/bulk-out/empty_0_.json,DIR/bulk-out/none.json]
b: REFRESH TABLE bulk.t
b: SELECT id, d, s, n, g, _doc['p'], at, f, r, o, l, bi, c FROM bulk.t ORDER BY id
b: COPY bulk.t FROM $1::array(text) WITH (format = 'json', compression = 'gzip', shared = true, overwrite_duplicates = false) RETURN SUMMARY -- [DIR/bulk-out/t_0_.json.gz]
b: COPY bulk.t FROM $1::array(text) WITH (format = 'json', compression = 'gzip', shared = true, overwrite_duplicates = true) RETURN SUMMARY -- [DIR/bulk-out/t_0_.json.gz,DIR/bulk-out/t_0_.json]
b: REFRESH TABLE bulk.t
b: SELECT id, d, s, n, g, _doc['p'], at, f, r, o, l, bi, c FROM bulk.t ORDER BY id
b: CREATE TABLE bulk."a$b" (id INTEGER) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)
b: COPY bulk."a$b" FROM $1 WITH (shared = true) -- DIR/bulk-out/a$b_0_.json
b: COPY bulk."a$b" FROM $1 WITH (shared = true) RETURN SUMMARY -- DIR/bulk-out/none_*
b: COPY bulk."a$b" FROM $1 WITH (shared = true) RETURN SUMMARY -- DIR/bulk-missing/*
b: COPY bulk."a$b" FROM $1 WITH (shared = true) RETURN SUMMARY -- DIR/bulk-out/a*.json
b: COPY bulk."a$b" FROM $1 WITH (shared = true, bogus = true) RETURN SUMMARY -- DIR/bulk-out/none_*
b: COPY bulk."a$b" FROM $1 WITH (compression = 'none') RETURN SUMMARY -- DIR/bulk-out/none_*
b: COPY bulk."a$b" FROM $1 WITH (wait_for_completion = false) RETURN SUMMARY -- DIR/bulk-out/none_*
b: COPY bulk.nope FROM $1 RETURN SUMMARY -- DIR/bulk-out/none_*
b: COPY bulk.t FROM $1 WITH (format = 'json', fail_fast = true) RETURN SUMMARY -- DIR/bulk-out/t_0_.json
b: COPY bulk.t FROM $1 WITH (format = 'json') RETURN SUMMARY -- DIR/bulk-in/bad.json
b: COPY bulk.t FROM $1 WITH (format = 'json') RETURN SUMMARY -- DIR/bulk-in/ä.json
b: COPY bulk.t FROM $1 WITH (format = 'json') RETURN SUMMARY -- file://DIR/bulk-in/%C3%A4.json
b: COPY bulk.t FROM $1 WITH (format = 'csv', empty_string_as_null = true) RETURN SUMMARY -- DIR/bulk-in/a.csv
b: COPY bulk.t ("id", "s", "d") FROM $1 WITH (format = 'csv', header = false, empty_string_as_null = false) RETURN SUMMARY -- DIR/bulk-in/plain.csv
b: REFRESH TABLE bulk.t
b: SELECT id, d, s, n, b, g FROM bulk.t WHERE id > 9 ORDER BY id
b: CREATE TABLE bulk.part (id INTEGER, t TEXT, m TIMESTAMP WITH TIME ZONE, z BOOLEAN, k BIGINT) PARTITIONED BY (t, m, z, k) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)
b: COPY bulk.part FROM $1 WITH (shared = true) RETURN SUMMARY -- DIR/bulk-both/*
b: COPY bulk.part FROM $1 WITH (shared = true) RETURN SUMMARY -- DIR/bulk-where/*
b: REFRESH TABLE bulk.part
b: SELECT id, t, m, z, k FROM bulk.part ORDER BY id
b: COPY bulk.t FROM $1 RETURN SUMMARY -- s3://k:s@127.0.0.1:1/bkt/x.json
a: COPY bulk.t TO DIRECTORY $1 WITH (protocol = 'http') -- s3://k:s@127.0.0.1:1/bkt/x
