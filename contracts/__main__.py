"""`python -m contracts`: the `contracts` command."""

from contracts.cli import main

if __name__ == "__main__":
    main()
