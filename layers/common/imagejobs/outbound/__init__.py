"""Calls to addresses that strangers name: callbacks and `image_url`. The functions that make them hold credentials,
so no such call may reach anything that the public internet could not reach anyway.

- `policy` takes a URL apart, once, and refuses what needs no DNS to be refused;
- `addresses` says which IP addresses are public;
- `connection` resolves, checks every address, and speaks HTTP with the address that it checked.
"""
