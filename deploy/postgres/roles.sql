-- The image runs this once in a new cluster: one account and one database for each purpose, closed to all others.
\set ON_ERROR_STOP on
\set pipeline_password `cat "$PIPELINE_PASSWORD_FILE"`
\set airflow_password `cat "$AIRFLOW_PASSWORD_FILE"`
-- psql goes on with an empty text if a file cannot be read.
SELECT :'pipeline_password' <> '' AND :'airflow_password' <> '' AS both_are_there \gset
\if :both_are_there
\else
    DO $$ BEGIN RAISE EXCEPTION 'a file with a password is missing or empty'; END $$;
\endif
CREATE ROLE pipeline LOGIN PASSWORD :'pipeline_password';
-- The error for a refused row may quote it.  The client receives it; keep it out of the log.
ALTER ROLE pipeline SET log_min_messages = 'fatal';
CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE contracts OWNER pipeline;
CREATE DATABASE airflow OWNER airflow;
REVOKE ALL ON DATABASE contracts FROM PUBLIC;
REVOKE ALL ON DATABASE airflow FROM PUBLIC;
