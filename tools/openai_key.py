"""Keeps OpenAI's key in a stack's secret: `python -m tools.openai_key` (docs/deploying.md, "Fill in the secret")."""

import getpass
import json
import sys

from tools.stack import DEFAULT_STACK, OperatorError, StackName, outputs, run, session


def main(stack_name: StackName = DEFAULT_STACK) -> None:
    """Ask for OpenAI's key, or read it from a pipe, and put it into the secret; the other members stay."""
    secret, manager = outputs(stack_name)["SecretArn"], session().client("secretsmanager")
    key = (getpass.getpass("OpenAI's API key (not shown): ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not key:
        raise OperatorError("no key was given; the secret is as it was")
    members = json.loads(manager.get_secret_value(SecretId=secret)["SecretString"])
    manager.put_secret_value(SecretId=secret, SecretString=json.dumps({**members, "OPENAI_API_KEY": key}))
    sys.stdout.write("stored; the functions notice it within five minutes\n")


if __name__ == "__main__":
    run(main)
