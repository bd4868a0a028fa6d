"""Commands for whoever runs a deployed stack."""
