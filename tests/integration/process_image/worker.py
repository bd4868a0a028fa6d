"""Runs the function once, as a Lambda worker would, and says so: a process that a test can kill.

    python worker.py <event as JSON> [hold]

With `hold`, the worker has its result and does not come to tell it. `peak` is the most memory that it had, in bytes.
"""

import json
import sys
import time
from pathlib import Path

from functions.process_image import app
from tests.support.context import Context

if __name__ == "__main__":
    result = app.handler(json.loads(sys.argv[1]), Context())
    if "hold" in sys.argv:
        time.sleep(60)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    # Linux's VmHWM: getrusage's begins at the peak of the process that started this one.
    sys.stdout.write(json.dumps({"result": result, "peak": int(status["VmHWM"].split()[0]) * 1024}))
