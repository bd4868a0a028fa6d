"""Which service is called, and as whom: from arguments, the environment, a config file or a stack on this machine.

The address is the first of: the argument, `IMAGEJOBS_ADDRESS`, `address` in the config file, and `.local/stack.json`
(which `make up` of wxo-image-jobs writes) in this folder or one above. Keys and tokens are the first of: the argument,
the environment, the config file. The config file's are for the config file's address alone.
"""

import json
import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from imagejobs_client.errors import ConnectionSettingsError

SECRETS = ("api_key", "token", "workshop_token")
_HOW = (
    "give --address, set IMAGEJOBS_ADDRESS, run `imagejobs login`, or start a stack on this machine by "
    "`make up` in the folder of wxo-image-jobs"
)


@dataclass(frozen=True, kw_only=True)
class Connection:
    """An address with the secrets for it, and where each came from. Its representation holds no secret."""

    address: str
    api_key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    workshop_token: str | None = field(default=None, repr=False)
    sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an address that is not a URL, and one over which a secret would travel unencrypted."""
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConnectionSettingsError(f"expected an address such as https://host/stage, got {self.address!r}")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ConnectionSettingsError("the address holds more than host and path: give secrets in another way")
        if parts.scheme == "http" and not _is_loopback(parts.hostname) and any(self.secrets.values()):
            raise ConnectionSettingsError(
                f"{self.address} is not encrypted, so no key is sent to it: use https (http is for this machine alone)"
            )

    @property
    def secrets(self) -> dict[str, str | None]:
        """The key and tokens by name."""
        return {name: getattr(self, name) for name in SECRETS}

    @property
    def headers(self) -> dict[str, str]:
        """The headers that say who calls."""
        given = {
            "x-api-key": self.api_key,
            "Authorization": f"Bearer {self.token}" if self.token else None,
            "x-workshop-token": self.workshop_token,
        }
        return {name: value for name, value in given.items() if value}


def find_connection(
    address: str | None = None,
    *,
    api_key: str | None = None,
    token: str | None = None,
    workshop_token: str | None = None,
    environment: Mapping[str, str] | None = None,
    config_file: Path | None = None,
    folder: Path | None = None,
) -> Connection:
    """Find the service to call. Raises ConnectionSettingsError when no address is found or a file cannot be read.

    Example:
        connection = find_connection("https://abc123.execute-api.eu-de.amazonaws.com/v1")
    """
    environment = os.environ if environment is None else environment
    config_file = config_file or default_config_file()
    config = _read_config(config_file)
    places: list[tuple[str, Mapping[str, str | None]]] = [
        ("argument", {"address": address, "api_key": api_key, "token": token, "workshop_token": workshop_token}),
        ("environment", {name: environment.get(f"IMAGEJOBS_{name.upper()}") for name in ("address", *SECRETS)}),
        (str(config_file), config),
        *(((str(path), {"address": local}) for path, local in _local_stacks(folder or Path.cwd()))),
    ]
    found: dict[str, str] = {}
    sources: dict[str, str] = {}
    for source, values in places:
        if source == str(config_file) and found.get("address", config.get("address")) != config.get("address"):
            continue  # its secrets are for its own address
        for name in ("address", *SECRETS):
            if name not in found and (value := (values.get(name) or "").strip()):
                found[name], sources[name] = value.rstrip("/") if name == "address" else value, source
    if "address" not in found:
        raise ConnectionSettingsError(f"which service? {_HOW}")
    warnings = _warnings(config_file) if str(config_file) in sources.values() else ()
    return Connection(**found, sources=sources, warnings=warnings)


def default_config_file() -> Path:
    """Where this platform keeps the settings of programs, such as ~/.config/imagejobs/config.toml."""
    from typer import get_app_dir

    return Path(get_app_dir("imagejobs")) / "config.toml"


def write_config(path: Path, values: Mapping[str, str]) -> None:
    """Write a config file that its owner alone can read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in values.items()]
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.writelines(lines)
    temporary.replace(path)


def _read_config(path: Path) -> dict[str, str]:
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConnectionSettingsError(f"{path} cannot be read: {error}") from error
    unknown = [name for name, value in read.items() if name not in ("address", *SECRETS) or not isinstance(value, str)]
    if unknown:
        known = ", ".join(("address", *SECRETS))
        raise ConnectionSettingsError(f"{path}: expected {known}, each a text; got {', '.join(unknown)}")
    return {**read, "address": read.get("address", "").rstrip("/")}


def _warnings(path: Path) -> tuple[str, ...]:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        return (f"others on this machine can read {path}, which holds a key: chmod 600 '{path}'",)
    return ()


def _local_stacks(folder: Path) -> Iterator[tuple[Path, str]]:
    for parent in (folder, *folder.parents):
        path = parent / ".local" / "stack.json"
        try:
            address = str(json.loads(path.read_text(encoding="utf-8"))["api_url"])
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if _is_loopback(urlsplit(address).hostname or ""):
            yield path, address
            return


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
