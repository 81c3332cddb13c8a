"""Benchmarks: figures as ratios inside one run.  `make bench`."""
