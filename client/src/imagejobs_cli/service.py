"""`imagejobs models`, `doctor` and `login`."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from rich.markup import escape

from imagejobs_cli import tables
from imagejobs_cli.exits import Exit, exit_of
from imagejobs_cli.session import Session
from imagejobs_client import Connection, ConnectionSettingsError, ImageJobsError, NotFoundError
from imagejobs_client.connection import default_config_file, write_config

# A presigned link and a bearer token take no greater difference for granted.
_CLOCK_SECONDS = 60


@dataclass(frozen=True)
class _Finding:
    """What was checked, whether it is well, and what to know of it."""

    name: str
    ok: bool
    told: str
    code: Exit = Exit.ERROR


def models(session: Session) -> None:
    """List the models."""
    found = session.client.models()
    if session.json:
        session.answer({"models": [model.raw for model in found]})
    else:
        tables.print_models(session.out, found)


def doctor(session: Session) -> None:
    """Check address, key, service and clock, a line each; the exit code is that of the first thing that is wrong."""
    wrong: list[_Finding] = []
    told = []
    for finding in _findings(session):
        if not finding.ok:
            wrong.append(finding)
        if session.json:
            told.append(asdict(finding))
        else:
            mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
            session.out.print(f"{mark} {finding.name:<14} {escape(finding.told)}", soft_wrap=True)
    if session.json:
        session.answer({"ok": not wrong, "checks": told})
    if wrong:
        raise SystemExit(wrong[0].code)


def _findings(session: Session) -> Iterator[_Finding]:
    try:
        connection = session.connection
    except ConnectionSettingsError as error:
        yield _Finding("address", False, str(error), Exit.NOT_ALLOWED)
        return
    yield _Finding("address", True, f"{connection.address} (from {connection.sources['address']})")
    if connection.headers:
        yield _Finding("key", True, _secrets(connection))
    health = _try("health", lambda: "is up" if session.client.health().ok else "says that it is not ready")
    yield health
    if not health.ok:
        return
    yield _try("clock", lambda: _clock(session))
    access = _try("access", lambda: _access(session))
    if access.ok and not connection.headers:
        yield _Finding("key", True, "none: this service asks for none")
    yield access
    try:
        checks = session.client.checks()
    except ImageJobsError:
        return  # the line above says why
    for name, check in checks.items():
        told = f"{check.ms} ms" if check.ok else f"{check.error or 'fails'} ({check.ms} ms)"
        yield _Finding(name, check.ok, told, Exit.UNAVAILABLE)


def _try(name: str, check: Callable[[], str]) -> _Finding:
    try:
        return _Finding(name, True, check())
    except ImageJobsError as error:
        return _Finding(name, False, str(error), exit_of(error))


def _secrets(connection: Connection) -> str:
    """Which secrets are sent, never what they are."""
    sent = [
        f"{name.replace('_', ' ')} (from {connection.sources[name]})" for name, has in connection.secrets.items() if has
    ]
    return ", ".join(sent)


def _clock(session: Session) -> str:
    difference = session.client.clock_difference()
    if difference is None:
        return "the service's answers have no date"
    seconds = difference.total_seconds()
    if abs(seconds) > _CLOCK_SECONDS:
        way = "ahead of" if seconds > 0 else "behind"
        raise ImageJobsError(f"this machine's is {tables.duration(abs(seconds))} {way} the service's: set it right")
    return "as the service's"


def _access(session: Session) -> str:
    try:
        session.client.storage()
    except NotFoundError as error:
        raise ImageJobsError(
            "wxo-image-jobs does not answer at this address: the stage may be missing at its end"
        ) from error
    return "the service grants access"


def login(session: Session) -> None:
    """Ask for the address and the key, try them, and keep them in the config file."""
    import getpass

    path = default_config_file()
    address = session.address or input("address, such as https://host/stage: ").strip()
    key = session.given_key() or getpass.getpass("API key (empty for none): ", stream=sys.stderr).strip()
    connection = Connection(address=address.rstrip("/"), api_key=key or None)
    session.connection = connection
    _access(session)
    write_config(path, {"address": connection.address, **({"api_key": key} if key else {})})
    session.say(f"[green]✓[/] the service grants access; kept in {path}, which you alone can read")
