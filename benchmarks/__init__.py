"""Benchmarks that compare measurements within one run (`make bench`)."""
