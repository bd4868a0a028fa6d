"""Has pip take the wheels for Lambda's processor by their hashes: `eval "$(python -m tools.wheels arm64)"; sam build`.

`sam build` downloads twice: what requirements.txt names, by its hashes, for the machine that builds; then the wheels
that Lambda's processor needs instead, by name and version alone (aws_lambda_builders' python_pip/packager.py).
With these variables the first download is for Lambda's processor already, and there is no second one.
"""

import shlex
import sys

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
# Amazon Linux 2023, on which python3.13 runs, has glibc 2.34; the oldest wheels are built for 2.17 (manylinux2014).
_GLIBC_MINORS = range(34, 16, -1)


def pip_variables(architecture: str) -> dict[str, str]:
    """Environment variables for `sam build`, by the value of the template's parameter Architecture."""
    machine = MACHINES[architecture]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in _GLIBC_MINORS]
    return {"PIP_ONLY_BINARY": ":all:", "PIP_PLATFORM": " ".join([*platforms, f"manylinux2014_{machine}"])}


if __name__ == "__main__":
    for name, value in pip_variables(*sys.argv[1:]).items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
