"""Real servers as processes, for a laptop and for the tests: no Docker, no Java installed, no root."""
