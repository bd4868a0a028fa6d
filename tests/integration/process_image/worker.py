"""Runs the function once, as a Lambda worker would, and says so: a process that a test can kill.

    python worker.py <event as JSON> [hold]

With `hold`, the worker has its result and does not come to tell it.
"""

import json
import sys
import time

from functions.process_image import app
from tests.support.context import Context

if __name__ == "__main__":
    result = app.handler(json.loads(sys.argv[1]), Context())
    if "hold" in sys.argv:
        time.sleep(60)
    sys.stdout.write(json.dumps({"result": result}))
