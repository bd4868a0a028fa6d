"""Writes the key of a stack's API, and nothing else: `python -m tools.api_key` (docs/deploying.md, "Who may call")."""

import sys

from tools.stack import DEFAULT_STACK, OperatorError, StackName, connect, run


def main(stack_name: StackName = DEFAULT_STACK) -> None:
    """Write the key that callers send as x-api-key."""
    key = connect(stack_name, None).read_api_key()
    if not key:
        raise OperatorError(f"the API of {stack_name} has no key; the stack's output Access says who may call it")
    sys.stdout.write(f"{key}\n")


if __name__ == "__main__":
    run(main)
