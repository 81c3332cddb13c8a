-- description: |
--   For analysts: no field that is tagged as personal data.  What is left of these is coarse: the year of birth, the
--   country, the month of registration, and whether there is a phone number.
-- sinks:
--   postgres: {table: users_for_analysts, primary_key: [id]}
SELECT id,
       year(dob) AS born,
       trim(substring_index(address, ',', -1)) AS country,
       date_trunc('MONTH', registered_date) AS registered_in,
       username IS NOT NULL AS has_username,
       phone IS NOT NULL AS has_phone
FROM users_created
