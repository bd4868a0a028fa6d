"""Writes the versions of requirements.lock into the requirements.txt of layers and functions: `make lock` runs it.

A requirements.txt says which packages a build brings along; the lock alone says in which version.
"""

import re
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", re.MULTILINE)


def with_versions_of(lock: str, requirements: str) -> str:
    """Give the text of a requirements.txt with each pin at its version in the lock.

    Raises:
        KeyError: a package that the lock does not have.
    """
    versions = dict(_PIN.findall(lock))
    return _PIN.sub(lambda pin: f"{pin[1]}=={versions[pin[1]]}", requirements)


def main() -> None:
    """Rewrite every requirements.txt of the build."""
    lock = (_ROOT / "requirements.lock").read_text()
    for path in [*_ROOT.glob("layers/*/requirements.txt"), *_ROOT.glob("functions/*/requirements.txt")]:
        path.write_text(with_versions_of(lock, path.read_text()))


if __name__ == "__main__":
    main()
