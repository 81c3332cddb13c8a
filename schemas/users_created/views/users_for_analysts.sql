-- description: |
--   For analysts: personal data only where it is coarse.  Of the date of birth they have the year, of the postal code
--   the first two characters, of the address the country.
-- masks:
--   - {field: born, mask: year}
--   - {field: area, mask: {truncate: 2}}
-- sinks:
--   postgres: {table: users_for_analysts, primary_key: [id]}
SELECT id,
       dob AS born,
       post_code AS area,
       trim(substring_index(address, ',', -1)) AS country,
       date_trunc('MONTH', registered_date) AS registered_in,
       username IS NOT NULL AS has_username,
       phone IS NOT NULL AS has_phone
FROM users_created
