"""What the pages show, as plain values: made of contracts, without a server, a file or a template.  Pure."""
