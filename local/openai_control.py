"""A client of the OpenAI stand-in's control endpoint, for tests and benchmarks."""

from typing import Any

import httpx2

from local.openai_faults import Fault


class OpenAIControl:
    """Steers a stand-in that runs in another process. `base_url` is what the OpenAI SDK takes, ending in /v1."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx2.Client(base_url=f"{base_url.removesuffix('/v1')}/_control", timeout=10)

    def fail(self, fault: str, **options: Any) -> None:
        """Add a rule; see `Fault`."""
        self._http.post("/faults", content=Fault(fault=fault, **options).model_dump_json()).raise_for_status()

    def calls(self, prompt: str = "") -> list[dict[str, Any]]:
        """The edits that were asked for with a prompt that holds `prompt`, each a `Call` as a dict."""
        answer = self._http.get("/calls").raise_for_status()
        return [call for call in answer.json() if prompt in call["prompt"]]

    def set_latency(self, seconds: float) -> None:
        """Set the seconds that an edit takes."""
        self._http.put("/latency", content=str(seconds)).raise_for_status()

    def reset(self) -> None:
        """Forget the calls and the rules."""
        self._http.post("/reset").raise_for_status()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()
