"""accept answers before API Gateway, which waits 29 seconds, gives it up."""

from typing import Any

from functions.accept.resources import AcceptResources
from functions.accept.settings import AcceptSettings
from tools.render import template

GATEWAY_SECONDS = 29


def test_every_client_of_accept_gives_up_before_the_function_and_the_function_before_api_gateway(
    stack: dict[str, str],
) -> None:
    function_seconds = template()["Resources"]["AcceptFunction"]["Properties"]["Timeout"]
    clients = AcceptResources(AcceptSettings.from_environment(stack)).clients
    made = [
        clients.s3,
        clients.step_functions,
        clients.secrets.client,
        clients.cos("https://cos.example", "x", "a", "b"),
    ]
    configs: list[Any] = [client.meta.config for client in made]
    seconds = [(one.connect_timeout + one.read_timeout) * one.retries["total_max_attempts"] for one in configs]

    assert max(seconds) <= function_seconds - 5
    assert AcceptSettings().max_wait_seconds <= function_seconds - 3
    assert function_seconds <= GATEWAY_SECONDS - 1
