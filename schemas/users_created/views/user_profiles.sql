-- description: |
--   Each user with what programs often compute of one.  It is personal data, like created_users.  The age is that of
--   the day on which the event came.
-- sinks:
--   postgres: {table: user_profiles, primary_key: [id]}
SELECT id,
       concat_ws(' ', first_name, last_name) AS full_name,
       lower(substring_index(email, '@', -1)) AS email_domain,
       CASE WHEN dob IS NULL THEN 'unknown'
            WHEN dob > add_months(to_date(kafka_timestamp), -18 * 12) THEN 'under 18'
            WHEN dob > add_months(to_date(kafka_timestamp), -30 * 12) THEN '18 to 29'
            WHEN dob > add_months(to_date(kafka_timestamp), -50 * 12) THEN '30 to 49'
            ELSE '50 and over' END AS age_band,
       trim(substring_index(address, ',', -1)) AS country,
       to_date(registered_date) AS registered_on
FROM users_created
