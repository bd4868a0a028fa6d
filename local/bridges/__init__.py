"""What ministack 1.5.33 does otherwise than AWS, as far as this service depends on it, put right in one place.

Each module holds the bridges of one AWS service; its docstring lists the gaps. `tests/integration/local` proves each
through boto3. When ministack closes a gap, its bridge goes.
"""

from importlib.metadata import version

from local.bridges import api, cloudwatch, executions, functions, map_runs, secrets

MINISTACK = "1.5.33"


def apply() -> None:
    """Put every bridge in place, before the emulator takes its first request."""
    if version("ministack") != MINISTACK:
        raise RuntimeError(
            f"the bridges were written for ministack {MINISTACK}, but {version('ministack')} is installed: "
            "look each gap up in its source, then change MINISTACK in local/bridges/__init__.py"
        )
    api.apply()
    cloudwatch.apply()
    functions.apply()
    executions.apply()
    map_runs.apply()
    secrets.apply()
