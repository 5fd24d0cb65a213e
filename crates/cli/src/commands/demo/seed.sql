CREATE TABLE shop.orders (
  id BIGINT, customer INTEGER, month TIMESTAMP WITH TIME ZONE, total NUMERIC(12, 2), status TEXT,
  PRIMARY KEY (id, month)
) CLUSTERED BY (id) INTO 2 SHARDS PARTITIONED BY (month) WITH (number_of_replicas = 0);

CREATE TABLE shop.order_lines (
  order_id BIGINT, line INTEGER, product TEXT, amount INTEGER, PRIMARY KEY (order_id, line)
) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0);

CREATE TABLE shop.customers (
  id INTEGER PRIMARY KEY, first_name TEXT, last_name TEXT, email TEXT, country TEXT, active BOOLEAN,
  spent NUMERIC(12, 2)
) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0);

CREATE TABLE shop.products (
  id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(12, 2), tags ARRAY(TEXT)
) CLUSTERED INTO 2 SHARDS WITH (number_of_replicas = 0)
