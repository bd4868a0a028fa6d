"""Keeps an engine's key in a stack's secret: `python -m tools.engine_key` (docs/deploying.md, "Fill in the secret")."""

import getpass
import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from tools.stack import DEFAULT_STACK, OperatorError, StackName, outputs, run, session


class Engine(StrEnum):
    """Whose key it is; the secret's member is named after it."""

    OPENAI = "openai"
    GEMINI = "gemini"


def main(
    engine: Annotated[Engine, typer.Argument(help="Whose key it is.")] = Engine.OPENAI,
    stack_name: StackName = DEFAULT_STACK,
) -> None:
    """Ask for an engine's key, or read it from a pipe, and put it into the secret; the other members stay."""
    secret, manager = outputs(stack_name)["SecretArn"], session().client("secretsmanager")
    asked = f"The API key for {engine} (not shown): "
    key = (getpass.getpass(asked) if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if not key:
        raise OperatorError("no key was given; the secret is as it was")
    members = json.loads(manager.get_secret_value(SecretId=secret)["SecretString"])
    kept = json.dumps({**members, f"{engine.upper()}_API_KEY": key})
    manager.put_secret_value(SecretId=secret, SecretString=kept)
    sys.stdout.write("stored; the functions notice it within five minutes\n")


if __name__ == "__main__":
    run(main)
