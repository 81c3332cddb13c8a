"""Run the pipeline in Docker: the files that docker-compose.yml builds and mounts, and the checks before a start."""
