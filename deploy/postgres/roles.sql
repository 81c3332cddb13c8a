-- Run once, by the image, in a new database cluster: one account and one database for each purpose, and nothing for others.
\set ON_ERROR_STOP on
\getenv pipeline_password PIPELINE_PASSWORD
\getenv airflow_password AIRFLOW_PASSWORD
CREATE ROLE pipeline LOGIN PASSWORD :'pipeline_password';
CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE contracts OWNER pipeline;
CREATE DATABASE airflow OWNER airflow;
REVOKE ALL ON DATABASE contracts FROM PUBLIC;
REVOKE ALL ON DATABASE airflow FROM PUBLIC;
