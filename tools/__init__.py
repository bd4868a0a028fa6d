"""Commands for whoever develops the service or runs a deployed stack."""
