"""Runs real servers as ordinary processes, on a laptop and in the tests: no Docker, no installed Java, no root."""
