-- Run once, by the image, in a new database cluster: one account and one database for each purpose, and nothing for others.
\set ON_ERROR_STOP on
\getenv pipeline_password PIPELINE_PASSWORD
\getenv airflow_password AIRFLOW_PASSWORD
CREATE ROLE pipeline LOGIN PASSWORD :'pipeline_password';
-- What a refused row is told may quote it; the one who writes it gets that as an answer, and no log needs it.
ALTER ROLE pipeline SET log_min_messages = 'fatal';
CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE contracts OWNER pipeline;
CREATE DATABASE airflow OWNER airflow;
REVOKE ALL ON DATABASE contracts FROM PUBLIC;
REVOKE ALL ON DATABASE airflow FROM PUBLIC;
