-- description: |
--   How many users came in each hour, by country: what follows the last comma of the address, as the source writes it.
--   A user who is sent again counts again.
-- time: kafka_timestamp
-- lateness: 1 hour
-- sinks:
--   cassandra: {keyspace: spark_streams, table: users_by_hour, partition_key: [country], clustering: [hour desc]}
--   postgres: {table: users_by_hour, primary_key: [hour, country]}
SELECT window(kafka_timestamp, '1 hour').start AS hour,
       coalesce(nullif(trim(substring_index(address, ',', -1)), ''), 'unknown') AS country,
       count(*) AS events,
       count(dob) AS with_dob,
       to_date(max(registered_date)) AS last_registered_on
FROM users_created
GROUP BY window(kafka_timestamp, '1 hour'),
         coalesce(nullif(trim(substring_index(address, ',', -1)), ''), 'unknown')
