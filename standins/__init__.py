"""Servers that stand in for what is not here: OpenAI, a receiver of callbacks, IBM COS, watsonx Orchestrate.

One of each, for `make up`, for the demo and for the tests.
"""
