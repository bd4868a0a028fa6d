"""What API Gateway is told of a caller ("Output from an API Gateway Lambda authorizer", developer guide)."""

from typing import Any

from functions.authorizer.tokens import Caller


def answer(method_arn: str, caller: Caller, needed_scopes: frozenset[str]) -> dict[str, Any]:
    """Let a caller in, or refuse one who lacks a scope; `context` is what `accept` reads of the caller.

    The answer is for every route of the stage, since API Gateway keeps it by token and uses it for other routes too.
    """
    api_and_stage = "/".join(method_arn.split("/")[:2])
    return {
        "principalId": caller.id,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if needed_scopes <= caller.scopes else "Deny",
                    "Resource": f"{api_and_stage}/*",
                }
            ],
        },
        "context": {"caller": caller.id, "client_id": caller.client_id},
    }
