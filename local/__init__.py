"""The embedded AWS: everything that runs the stack on one machine, with no account and no containers."""
