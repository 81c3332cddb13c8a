"""Avro data contracts, end to end: all packages of this project, under the one name that it takes in an environment.

In the repository these packages are links to the folders at the top (docs/adr/0019-one-name.md).
"""

__version__ = "0.2.0"
