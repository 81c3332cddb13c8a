"""Sources to Kafka: fetches, maps, and publishes records under a contract."""
