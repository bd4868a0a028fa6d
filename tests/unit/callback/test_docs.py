"""docs/delivery.md shows receivers how to check a signature: what it shows works."""

import json
import re
from pathlib import Path
from typing import Any

from functions.callback.signing import signed_headers

PAGE = (Path(__file__).parents[3] / "docs" / "delivery.md").read_text()
KEY = "whsec_" + "k" * 43 + "="
BODY = b'{"status":"failed","job_id":"job-1","error":"cancelled"}'


def test_the_receiver_on_the_page_takes_a_callback_and_refuses_a_changed_one() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    page: dict[str, Any] = {}
    exec(code, page)  # noqa: S102 - the page's code is what is tested
    headers = signed_headers(KEY, "job-1", BODY)

    assert page["receive"](BODY, headers, KEY) == json.loads(BODY)
    assert page["receive"](BODY.replace(b"cancelled", b"completed"), headers, KEY) is None
    assert page["receive"](BODY, {**headers, "webhook-id": "job-2"}, KEY) is None
