"""The pipeline in Docker: docker-compose.yml, what it builds and mounts, and the checks before it starts."""
