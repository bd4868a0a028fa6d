"""Calls to addresses that strangers name: callbacks and `image_url`. The functions that make them hold credentials,
so no such call may reach anything that the public internet could not reach anyway.

- `policy` takes a URL apart, once, and refuses what needs no DNS to be refused;
- `addresses` says which IP addresses are public;
- `network` is what an exchange stands on: name resolution, sockets, TLS, and the error when there is no answer;
- `connection` makes the calls, and knows what their answers mean;
- `transport` is httpx2's way there: it resolves, checks every address, and connects to the one that it checked.
"""
