"""Records that are made from the contract (`contracts.sample`)."""
