-- description: Each order that was 100 EUR or more at some time, as it last was then.
-- sinks:
--   cassandra: {keyspace: spark_streams, table: orders_large, primary_key: [id]}
--   postgres: {table: orders_large, primary_key: [id]}
SELECT id,
       to_date(ordered_at) AS ordered_on,
       total,
       size(items) AS item_count,
       lower(status) AS status,
       note IS NOT NULL AS has_note
FROM orders
WHERE total >= 100
