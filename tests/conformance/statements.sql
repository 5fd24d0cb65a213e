CREATE TABLE conf.types (id INTEGER PRIMARY KEY, a BOOLEAN, b BYTE, c SMALLINT, d BIGINT, e REAL, f DOUBLE PRECISION, g NUMERIC(20, 6), h TEXT, i VARCHAR(5), j CHARACTER(4), k IP, l TIMESTAMP WITH TIME ZONE, m TIMESTAMP WITHOUT TIME ZONE, n UUID, o BIT(8), p FLOAT_VECTOR(2), q GEO_POINT, r GEO_SHAPE, s OBJECT(DYNAMIC), t ARRAY(TEXT), u ARRAY(INTEGER), v ARRAY(ARRAY(INTEGER)), w ARRAY(OBJECT(DYNAMIC)), x TEXT DEFAULT 'd', y BIGINT GENERATED ALWAYS AS d + 1) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)
INSERT INTO conf.types (id, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w) VALUES (1, true, -128, -32768, 9223372036854775000, 1.5, 0.1, 12345678901234.567891, 'it''s "q" \ {x}', 'abcde', 'ab', '10.0.0.1', '2026-01-05T10:11:12.345Z', '2026-01-05T10:11:12.345', '00010203-0405-0607-0809-0a0b0c0d0e0f', B'10100101', [1.0, 2.5], [9.7438, 47.25], {type = 'Point', coordinates = [1.0, 2.0]}, {k = 1, n = {z = 'y'}}, ['a', 'b"c', ''], [1, 2], [[1, 2], [3]], [{k = 1}, {k = 2}])
INSERT INTO conf.types (id) VALUES (2)
INSERT INTO conf.types (id, x, f, e, g, l, t) VALUES (3, NULL, 1e300, -2.25, -0.000001, '0001-01-01T00:00:00Z', [])
INSERT INTO conf.types (id, d) VALUES (4, 9223372036854775807)
INSERT INTO conf.types (id, b) VALUES (4, 300)
INSERT INTO conf.types (id, i) VALUES (4, 'abcdef')
INSERT INTO conf.types (id, g) VALUES (4, 2.3456785)
INSERT INTO conf.types (id, k) VALUES (5, 'nowhere')
INSERT INTO conf.types (id, o) VALUES (5, B'101')
INSERT INTO conf.types (id, y, d) VALUES (5, 99, 1)
INSERT INTO conf.types (id, y, d) VALUES (6, 2, 1)
INSERT INTO conf.types (id, nope) VALUES (5, 1)
INSERT INTO conf.types (id) VALUES (1)
CREATE TABLE conf.checked (id INTEGER PRIMARY KEY, v INTEGER NOT NULL CHECK (v < 10)) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)
INSERT INTO conf.checked (id, v) VALUES (1, 10)
INSERT INTO conf.checked (id, v) VALUES (1, NULL)
INSERT INTO conf.checked (id, v) VALUES (1, 1), (2, 20), (3, 3)
INSERT INTO conf.types (a) VALUES (true)
INSERT INTO conf.types (id, a) VALUES (NULL, true)
REFRESH TABLE conf.types
SELECT id, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, t, u, v, x, y FROM conf.types ORDER BY id
SELECT id, _doc['q'], _doc['g'] FROM conf.types ORDER BY id
SELECT q FROM conf.types WHERE id = 1
SELECT q FROM conf.types WHERE id < 2
SELECT count(*), count(a), sum(d), sum(b), min(h), max(l), avg(c), sum(g), sum(f) FROM conf.types WHERE id < 3
SELECT s['k'], s['n']['z'], w['k'] FROM conf.types WHERE id = 1
SELECT s['nope'] FROM conf.types
SELECT nope FROM conf.types
SELECT id FROM conf.types WHERE d > 5 AND NOT a IS NULL
SELECT id FROM conf.types WHERE h LIKE 'it%' OR id IN (2, 3) ORDER BY id DESC LIMIT 2
SELECT id, CASE WHEN id > 1 THEN 'many' ELSE 'one' END AS size FROM conf.types WHERE id BETWEEN 1 AND 2 ORDER BY 1
SELECT upper(h), lower('AB'), concat(i, '-', b), coalesce(x, 'none'), substr('abcdef', 2, 3), 'a' || 'b' FROM conf.types WHERE id = 1
SELECT 1, 1.5, 'x', NULL, true, [1, 2], {a = 1}, 3000000000
SELECT 7 / 2, 7 % 2, 7 * 2.0, -3 + 1, 1 = 1, 1 <> 1, NULL = 1
SELECT 1 / 0
SELECT '5'::INTEGER, 5::TEXT, '2026-02-03'::TIMESTAMP WITH TIME ZONE, '12.345'::NUMERIC(10, 2), try_cast('x' AS INTEGER)
SELECT 'x'::INTEGER
SELECT date_trunc('month', '2026-02-03T04:05:06'::TIMESTAMP WITHOUT TIME ZONE)
SELECT nofunc(1)
SELECT * FROM conf.nope
SELECT * FROM nope.nope
SELECT a.id, b.id FROM conf.types a LEFT JOIN conf.types b ON a.id = b.id + 1 WHERE a.id < 3 ORDER BY 1
SELECT x.id FROM (SELECT id FROM conf.types WHERE id < 3) x ORDER BY x.id
SELECT DISTINCT a FROM conf.types WHERE id < 4 ORDER BY 1
SELECT id % 2 AS odd, count(*) FROM conf.types GROUP BY id % 2 ORDER BY 1
SELECT id FROM conf.types WHERE id = ANY([1, 3]) ORDER BY id
SELECT table_name, column_name, data_type, is_nullable, ordinal_position, column_default, generation_expression FROM information_schema.columns WHERE table_schema = 'conf' ORDER BY table_name, ordinal_position
SHOW CREATE TABLE conf.types
UPDATE conf.types SET h = 'new' WHERE id = 2
UPDATE conf.types SET id = 9 WHERE id = 2
UPDATE conf.types SET nope = 9 WHERE id = 2
DELETE FROM conf.types WHERE id = 6
DELETE FROM conf.types WHERE id = 6
SELECT h FROM conf.types WHERE id = 2
CREATE TABLE conf.parts (id INTEGER, p TEXT, v INTEGER NOT NULL, CONSTRAINT small CHECK (v < 100), PRIMARY KEY (id, p)) CLUSTERED BY (id) INTO 2 SHARDS PARTITIONED BY (p) WITH (number_of_replicas = 0, column_policy = 'strict')
INSERT INTO conf.parts (id, p, v) VALUES (1, 'a', 1), (2, 'b', 2), (3, 'a', 3)
INSERT INTO conf.parts (id, p, v) VALUES (1, 'a', 100)
INSERT INTO conf.parts (id, p) VALUES (4, 'a')
INSERT INTO conf.parts (id, p, v) VALUES (1, 'a', 9) ON CONFLICT (id, p) DO UPDATE SET v = excluded.v + 1
INSERT INTO conf.parts (id, p, v) VALUES (1, 'a', 9) ON CONFLICT DO NOTHING
INSERT INTO conf.parts (id, p, v) VALUES (1, 'a', 9) ON CONFLICT (id) DO NOTHING
INSERT INTO conf.parts (id, p, v) (SELECT * FROM UNNEST([1, 10, 11, 12], ['a', 'a', 'b', 'b'], [1, 2, 300, 4]))
INSERT INTO conf.parts (id, p, v) VALUES (20, 'c', 20) RETURNING id, v
REFRESH TABLE conf.parts
SELECT id, p, v FROM conf.parts ORDER BY id
SELECT table_name, partition_ident, values FROM information_schema.table_partitions WHERE table_schema = 'conf' ORDER BY 2
SHOW CREATE TABLE conf.parts
CREATE TABLE conf.parts (id INTEGER)
CREATE TABLE IF NOT EXISTS conf.parts (id INTEGER)
CREATE TABLE conf.bad (n NUMERIC)
ALTER TABLE conf.parts RENAME TO moved
ALTER TABLE conf.moved RENAME TO other.moved
SELECT count(*) FROM conf.parts
SELECT count(*) FROM conf.moved
CREATE TABLE conf.one (x INTEGER) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)
CREATE TABLE conf.two (x INTEGER) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)
INSERT INTO conf.one (x) VALUES (1)
REFRESH TABLE conf.one, conf.two
ALTER CLUSTER SWAP TABLE conf.one TO conf.two WITH (drop_source = true)
SELECT table_name FROM information_schema.tables WHERE table_schema = 'conf' ORDER BY 1
CREATE VIEW conf.seen AS SELECT x FROM conf.two
CREATE VIEW conf.seen AS SELECT x FROM conf.two
CREATE OR REPLACE VIEW conf.seen AS SELECT x + 1 AS y FROM conf.two
SELECT * FROM conf.seen
INSERT INTO conf.seen (y) VALUES (1)
DROP TABLE conf.seen
CREATE TABLE conf.seen (x INTEGER)
DROP VIEW conf.seen
DROP VIEW conf.seen
ALTER TABLE conf.two ADD COLUMN later TEXT
ALTER TABLE conf.two ADD COLUMN later TEXT
SELECT * FROM conf.two
CREATE TABLE conf.objects (o OBJECT(STRICT) AS (k INTEGER), d OBJECT(DYNAMIC)) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0)
INSERT INTO conf.objects (o, d) VALUES ({k = 1}, {n = 1, m = 'x', l = [1.5]})
INSERT INTO conf.objects (o) VALUES ({z = 1})
SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'conf' AND table_name = 'objects' ORDER BY ordinal_position
EXPLAIN INSERT INTO conf.objects (o) VALUES (NULL)
EXPLAIN INSERT INTO conf.nope (o) VALUES (NULL)
CREATE PUBLICATION conf_pub FOR TABLE conf.two
CREATE PUBLICATION conf_pub
CREATE PUBLICATION conf_other FOR TABLE conf.two
ALTER PUBLICATION conf_pub ADD TABLE conf.nope
ALTER PUBLICATION conf_nope ADD TABLE conf.two
ALTER TABLE conf.two RENAME TO three
DROP PUBLICATION conf_pub
DROP PUBLICATION conf_pub
CREATE SUBSCRIPTION conf_sub CONNECTION 'postgres://x' PUBLICATION p
CREATE SUBSCRIPTION conf_sub CONNECTION 'crate://127.0.0.1:1?mode=pg_tunnel' PUBLICATION p
DROP SUBSCRIPTION conf_sub
DROP TABLE conf.two
DROP TABLE conf.two
DROP TABLE IF EXISTS conf.two
TRUNCATE TABLE conf.moved
BEGIN
COMMIT
CREATE TABLE conf.leases (flow TEXT PRIMARY KEY, owner TEXT NOT NULL, epoch BIGINT NOT NULL, taken TIMESTAMP WITH TIME ZONE NOT NULL, expires TIMESTAMP WITH TIME ZONE NOT NULL) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = 0, column_policy = 'strict')
INSERT INTO conf.leases (flow, owner, epoch, taken, expires) VALUES ('a', 'one', 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP + INTERVAL '300 seconds'), ('b', 'one', 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP) RETURNING flow, owner, epoch, CURRENT_TIMESTAMP < expires + INTERVAL '1 seconds' AS now
INSERT INTO conf.leases (flow, owner, epoch, taken, expires) VALUES ('a', 'two', 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP + INTERVAL '300 seconds'), ('b', 'two', 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP + INTERVAL '300 seconds') ON CONFLICT (flow) DO UPDATE SET owner = CASE WHEN expires <= CURRENT_TIMESTAMP THEN excluded.owner ELSE owner END, expires = CASE WHEN expires <= CURRENT_TIMESTAMP THEN excluded.expires ELSE expires END, epoch = CASE WHEN NOT expires <= CURRENT_TIMESTAMP THEN epoch WHEN excluded.epoch > epoch THEN excluded.epoch ELSE epoch + 1 END RETURNING flow, owner, epoch, _seq_no, _primary_term
INSERT INTO conf.leases (flow, owner, epoch, taken, expires) VALUES ('b', 'two', 2, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP) ON CONFLICT (flow) DO UPDATE SET expires = CASE WHEN owner = excluded.owner AND epoch = excluded.epoch THEN taken ELSE expires END RETURNING flow, owner, epoch, expires = taken AS free
INSERT INTO conf.leases (flow, owner, epoch, taken, expires) VALUES ('b', 'one', 2, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP + INTERVAL '300 seconds') ON CONFLICT (flow) DO UPDATE SET expires = CASE WHEN owner = excluded.owner AND epoch = excluded.epoch THEN excluded.expires ELSE expires END RETURNING flow, owner, epoch, expires = taken AS free
INSERT INTO conf.leases (flow, owner, epoch, taken, expires) VALUES ('b', 'three', 57, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP + INTERVAL '300 seconds') ON CONFLICT (flow) DO UPDATE SET owner = CASE WHEN expires <= CURRENT_TIMESTAMP THEN excluded.owner ELSE owner END, expires = CASE WHEN expires <= CURRENT_TIMESTAMP THEN excluded.expires ELSE expires END, epoch = CASE WHEN NOT expires <= CURRENT_TIMESTAMP THEN epoch WHEN excluded.epoch > epoch THEN excluded.epoch ELSE epoch + 1 END RETURNING flow, owner, epoch, _seq_no, _primary_term
SELECT flow, owner, epoch FROM conf.leases WHERE flow = ANY(['b', 'c'])
UPDATE conf.leases SET epoch = CASE WHEN epoch < 60 THEN 60 ELSE epoch END WHERE flow = 'b'
UPDATE conf.leases SET epoch = CASE WHEN epoch < 5 THEN 5 ELSE epoch END WHERE flow = 'b'
UPDATE conf.leases SET epoch = 5 WHERE flow = 'c'
SELECT epoch, _seq_no FROM conf.leases WHERE flow = 'b'
INSERT INTO conf.leases (flow, owner, epoch, taken, expires) VALUES ('b', 'late', 59, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP) ON CONFLICT (flow) DO UPDATE SET owner = CASE WHEN excluded.epoch >= epoch THEN excluded.owner ELSE owner END, epoch = CASE WHEN excluded.epoch >= epoch THEN excluded.epoch ELSE epoch END RETURNING epoch, owner, _seq_no, _primary_term
DELETE FROM conf.leases WHERE flow = 'b' AND _seq_no = 0 AND _primary_term = 1
DELETE FROM conf.leases WHERE flow = 'b' AND _seq_no = 9 AND _primary_term = 1
SELECT epoch FROM conf.leases WHERE flow = 'b'
