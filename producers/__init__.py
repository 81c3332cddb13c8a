"""Sends records from a source to Kafka, under a contract."""
