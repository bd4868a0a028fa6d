"""What a caller prefers of an answer (RFC 7240): a job without a receiver, and an answer that waits for the job."""

import re
from dataclasses import dataclass

# What comes after so many characters is passed over.
_MAX_LENGTH = 1000
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 (RFC 9110, 5.6.2)
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PREFERENCE = re.compile(rf"\s*({_TOKEN})\s*(?:=\s*({_TOKEN}|{_QUOTED})?\s*)?(?:;.*)?", re.DOTALL)


@dataclass(frozen=True)
class Preferences:
    """Those that this service honours."""

    respond_async: bool = False
    # In seconds; None where the caller does not want to wait.
    wait: int | None = None

    @classmethod
    def parse(cls, header: str | None, max_wait: int) -> "Preferences":
        """Read the header `Prefer`; what is unknown or malformed is passed over, and the first of a name counts."""
        asked: dict[str, str] = {}
        for one in re.findall(rf'(?:{_QUOTED}|[^",])+', (header or "")[:_MAX_LENGTH]):
            if found := _PREFERENCE.fullmatch(one):
                asked.setdefault(found[1].lower(), (found[2] or "").strip('"'))
        seconds = re.fullmatch("0*([0-9]+)", asked.get("wait", ""))
        return cls(
            respond_async=asked.get("respond-async") == "",
            # As many digits as a caller likes are a number, but not one that Python reads.
            wait=min(int(seconds[1][:4]), max_wait) if seconds else None,
        )

    @property
    def without_receiver(self) -> bool:
        """Whether the caller can do without a callback."""
        return self.respond_async or self.wait is not None

    def applied(self, *, is_async: bool) -> dict[str, str]:
        """The header `Preference-Applied` of an answer, if there is anything to say; `is_async` is that of a 202."""
        honoured = ["respond-async"] if self.respond_async and is_async else []
        honoured += [f"wait={self.wait}"] if self.wait is not None else []
        return {"Preference-Applied": ", ".join(honoured)} if honoured else {}
