"""`python -m avro_data_contracts`: the `contracts` command."""

from avro_data_contracts.contracts.cli import main

if __name__ == "__main__":
    main()
