"""Records from files, folders of files and pipes: `python -m producers --from`."""
