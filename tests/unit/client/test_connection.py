"""Where the client finds the service and the key."""

import json
from pathlib import Path

import pytest

from imagejobs_client import Connection, ConnectionSettingsError, find_connection
from imagejobs_client.connection import write_config

ADDRESS, OTHER = "https://one.example/v1", "https://other.example/v1"


def find(
    tmp_path: Path, address: str | None = None, environment: dict[str, str] | None = None, api_key: str | None = None
) -> Connection:
    """Find a connection with the test's own config file and folder alone."""
    (tmp_path / "here" / "deeper").mkdir(parents=True, exist_ok=True)
    return find_connection(
        address,
        api_key=api_key,
        environment=environment or {},
        config_file=tmp_path / "config.toml",
        folder=tmp_path / "here" / "deeper",
    )


def local_stack(tmp_path: Path, address: str) -> None:
    (tmp_path / "here" / ".local").mkdir(parents=True)
    (tmp_path / "here" / ".local" / "stack.json").write_text(json.dumps({"api_url": address}))


def test_the_argument_comes_before_environment_config_file_and_local_stack(tmp_path: Path) -> None:
    local_stack(tmp_path, "http://127.0.0.1:4566/stage")
    assert find(tmp_path).address == "http://127.0.0.1:4566/stage"

    write_config(tmp_path / "config.toml", {"address": f"{ADDRESS}/", "api_key": "kept"})
    assert (find(tmp_path).address, find(tmp_path).api_key) == (ADDRESS, "kept")

    environment = {"IMAGEJOBS_ADDRESS": ADDRESS, "IMAGEJOBS_API_KEY": "set", "IMAGEJOBS_WORKSHOP_TOKEN": "t"}
    found = find(tmp_path, environment=environment)
    assert found.headers == {"x-api-key": "set", "x-workshop-token": "t"}
    assert found.sources == dict.fromkeys(("address", "api_key", "workshop_token"), "environment")

    assert find(tmp_path, OTHER, environment, api_key="given").headers["x-api-key"] == "given"


def test_the_config_files_key_goes_to_its_own_address_alone(tmp_path: Path) -> None:
    write_config(tmp_path / "config.toml", {"address": ADDRESS, "api_key": "kept", "token": "kept"})

    assert find(tmp_path, OTHER).headers == {}
    assert find(tmp_path, ADDRESS).headers == {"x-api-key": "kept", "Authorization": "Bearer kept"}


def test_a_config_file_that_others_can_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    write_config(path, {"address": ADDRESS, "api_key": "kept"})
    assert path.stat().st_mode & 0o777 == 0o600
    assert find(tmp_path).warnings == ()

    path.chmod(0o644)
    (warning,) = find(tmp_path).warnings
    assert "chmod 600" in warning
    assert find(tmp_path, OTHER).warnings == ()


@pytest.mark.parametrize("text", ["adress = 'x'", "address = 5", "address = "])
def test_a_config_file_that_cannot_be_meant_so_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)

    with pytest.raises(ConnectionSettingsError, match=r"config\.toml"):
        find(tmp_path)


def test_a_local_stack_elsewhere_than_on_this_machine_is_not_taken(tmp_path: Path) -> None:
    local_stack(tmp_path, OTHER)

    with pytest.raises(ConnectionSettingsError, match="IMAGEJOBS_ADDRESS"):
        find(tmp_path)


@pytest.mark.parametrize("address", ["one.example", "ftp://one.example", "https://", "https://me:secret@one.example"])
def test_an_address_that_is_none_is_refused_and_its_secret_not_told(address: str) -> None:
    with pytest.raises(ConnectionSettingsError) as refused:
        Connection(address=address)

    assert "secret" not in str(refused.value).replace("give secrets", "")


def test_no_key_travels_unencrypted_but_on_this_machine() -> None:
    with pytest.raises(ConnectionSettingsError, match="https"):
        Connection(address="http://one.example", api_key="k")

    assert Connection(address="http://localhost:8080", api_key="k").headers == {"x-api-key": "k"}
    assert Connection(address="http://one.example").headers == {}


def test_a_connection_shows_no_secret() -> None:
    connection = Connection(address=ADDRESS, api_key="hush", token="hush", workshop_token="hush")

    assert "hush" not in repr(connection)
