"""IBM's development kit, in its own environment, for the tests: what it loads of wxo/, and its Python tools at work."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROBE = ROOT / "tests" / "integration" / "wxo" / "adk_probe.py"
# Of the documents that the kit loads: an API that is never called.
URL = "https://abc123.execute-api.eu-central-1.amazonaws.com/v1"
PYTHON = ROOT / ".venv-adk" / "bin" / "python"

type Json = dict[str, Any]


class Tools:
    """Python tools in a process of the kit's own, called one after another."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def call(self, name: str, **arguments: Any) -> Json:
        """What a tool gives: `value`, `file` (base64) or `error`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"tool": name, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: Json = json.loads(line)
                return answer
        raise AssertionError(f"the kit ended at {name}")


class Kit:
    """The kit, installed where it is not, with a home of its own."""

    def __init__(self, home: Path) -> None:
        made = subprocess.run(["make", "-s", "adk"], cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert made.returncode == 0, f"make adk failed:\n{made.stdout}{made.stderr}"
        self._home = home

    def load(self, *documents: Json) -> Json:
        """What the kit makes of these documents and of wxo/; `said` are the lines that it wrote on the way."""
        paths = [self._home / f"{number}.json" for number in range(len(documents))]
        for path, document in zip(paths, documents, strict=True):
            path.write_text(json.dumps(document))
        probe = subprocess.run(
            [PYTHON, PROBE, "load", *paths],
            env=self._environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert probe.returncode == 0, f"the kit refused something:\n{probe.stderr}"
        *said, last = probe.stdout.splitlines()
        found: Json = json.loads(last)
        return found | {"said": [*said, *probe.stderr.splitlines()]}

    def refused(self, calls: list[str]) -> dict[str, str]:
        """Of these calls of `orchestrate`, without the command itself, those it does not take, each with why not."""
        probe = subprocess.run(
            [PYTHON, PROBE, "parse"],
            env=self._environment(),
            cwd=ROOT,
            input="\n".join(calls),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert probe.returncode == 0, probe.stderr
        found: dict[str, str] = json.loads(probe.stdout.splitlines()[-1])
        return found

    @contextmanager
    def tools(self, **connection: str) -> Iterator[Tools]:
        """The Python tools, with a connection `image_jobs` as WXO's runtime hands it over: in the environment."""
        variables = {
            f"WXO_CONNECTION_image_jobs_{name}": value for name, value in connection.items() if name != "scheme"
        }
        variables["WXO_SECURITY_SCHEMA_image_jobs"] = connection["scheme"]
        process = subprocess.Popen(
            [PYTHON, PROBE, "call"],
            env=self._environment() | variables,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Tools(process)
        finally:
            process.communicate(timeout=60)

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self._home), "NO_PROXY": "127.0.0.1"}
