-- description: What was ordered on each day, by where the orders stand.
-- time: ordered_at
-- lateness: 31 days
-- sinks:
--   cassandra: {keyspace: spark_streams, table: orders_by_day, primary_key: [day, status]}
--   postgres: {table: orders_by_day, primary_key: [day, status]}
SELECT window(ordered_at, '1 day').start AS day,
       status,
       count(*) AS orders,
       sum(total) AS total,
       max(total) AS largest,
       CAST(sum(total) / count(*) AS DECIMAL(12, 2)) AS mean
FROM orders
GROUP BY window(ordered_at, '1 day'), status
