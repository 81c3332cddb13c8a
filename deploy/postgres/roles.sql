-- The image runs this once in a new cluster: one account and one database for each purpose, closed to all others.
\set ON_ERROR_STOP on
\getenv pipeline_password PIPELINE_PASSWORD
\getenv airflow_password AIRFLOW_PASSWORD
CREATE ROLE pipeline LOGIN PASSWORD :'pipeline_password';
-- The error for a refused row may quote it.  The client receives it; keep it out of the log.
ALTER ROLE pipeline SET log_min_messages = 'fatal';
CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE contracts OWNER pipeline;
CREATE DATABASE airflow OWNER airflow;
REVOKE ALL ON DATABASE contracts FROM PUBLIC;
REVOKE ALL ON DATABASE airflow FROM PUBLIC;
