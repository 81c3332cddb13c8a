"""`contracts init`: contracts for schemas, samples and tables that have none."""
