"""GET /health/deep: what the service depends on, checked by calls that cost nothing."""

import json
import socket

import boto3
import pytest

from functions.accept import checks
from standins.receiver import Receiver
from tests.integration.accept.conftest import Api

MODEL = "/v1/models/gpt-image-x"


@pytest.fixture
def checked(stack: dict[str, str], receiver: Receiver) -> Api:
    """The API of a stack whose OpenAI is `receiver`."""
    return Api(stack | {"OPENAI_BASE_URL": receiver.url("/v1"), "OPENAI_IMAGE_MODEL": "gpt-image-x"})


def test_every_part_is_checked_and_told_with_its_time(checked: Api, receiver: Receiver) -> None:
    answered = checked("GET", "/health/deep")

    assert (answered.status, answered.body["ok"]) == (200, True), answered.body
    parts = {"jobs_bucket", "input_bucket", "output_bucket", "secret", "models", "state_machine", "openai"}
    assert set(answered.body["checks"]) == parts
    for check in answered.body["checks"].values():
        assert check == {"ok": True, "ms": check["ms"]}
        assert 0 <= check["ms"] < 10_000
    (asked,) = receiver.received()
    assert (asked.method, asked.path) == ("GET", MODEL)
    assert asked.headers["authorization"].startswith("Bearer ")


def test_the_open_route_checks_nothing_and_leads_to_the_one_that_asks_for_a_key(
    checked: Api, receiver: Receiver
) -> None:
    resolved = checked("GET", "/health?deep=1")

    assert (resolved.status, resolved.headers["Location"]) == (307, "https://api.example/v1/health/deep")
    assert checked("GET", "/health?deep=0").body["mode"] == "async"
    assert checked("GET", "/health").status == 200
    refused = checked("GET", "/health?deep=very")
    assert (refused.status, refused.body["detail"][0]["loc"]) == (422, ["query", "deep"])
    assert receiver.received() == []


def test_the_workshop_token_is_asked_for(stack: dict[str, str]) -> None:
    boto3.client("secretsmanager").put_secret_value(
        SecretId=stack["SECRET_ARN"], SecretString=json.dumps({"WORKSHOP_TOKEN": "t0ken"})
    )

    assert Api(stack)("GET", "/health/deep").status == 401


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "refuses the key"), (404, "no model gpt-image-x"), (500, "answered 500"), (429, "answered 429")],
)
def test_what_is_wrong_with_openai_is_told(checked: Api, receiver: Receiver, status: int, told: str) -> None:
    receiver.script(MODEL, status)
    answered = checked("GET", "/health/deep")

    assert (answered.status, answered.body["ok"]) == (503, False)
    assert told in answered.body["checks"]["openai"]["error"]
    assert answered.body["checks"]["jobs_bucket"]["ok"]


def test_a_key_that_is_restricted_to_images_is_a_good_one(checked: Api, receiver: Receiver) -> None:
    receiver.script(MODEL, 403)

    assert checked("GET", "/health/deep").status == 200


def test_missing_buckets_an_empty_secret_and_another_state_machine_are_told_all_at_once(
    stack: dict[str, str], receiver: Receiver
) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId=stack["SECRET_ARN"], SecretString="{}")
    gone = stack["STATE_MACHINE_ARN"] + "-gone"
    broken = {"JOBS_BUCKET": "no-1", "COS_INPUT_BUCKET": "no-2", "COS_OUTPUT_BUCKET": "no-3", "STATE_MACHINE_ARN": gone}
    answered = Api(stack | broken | {"OPENAI_BASE_URL": receiver.url("/v1")})("GET", "/health/deep")
    errors = {name: check.get("error") for name, check in answered.body["checks"].items()}

    assert answered.status == 503
    assert [
        bucket in errors[name]
        for name, bucket in zip(("jobs_bucket", "input_bucket", "output_bucket"), ("no-1", "no-2", "no-3"), strict=True)
    ] == [True] * 3
    assert "OPENAI_API_KEY" in errors["secret"]
    assert "StateMachineDoesNotExist" in errors["state_machine"]
    # AWS's own message names account and resource.
    assert "arn:" not in str(errors)


def test_models_that_cannot_be_asked_are_told_with_the_parameter_that_names_them(
    stack: dict[str, str], receiver: Receiver
) -> None:
    bedrock = "stability.stable-image-control-structure-v1:0"
    named = {"ALLOWED_MODELS": f"gpt-image-2, {bedrock}", "FALLBACK_MODELS": "gemini-3-pro-image, local"}
    answered = Api(stack | {"OPENAI_BASE_URL": receiver.url("/v1")} | named)("GET", "/health/deep")

    assert answered.status == 503
    assert {name: check["error"] for name, check in answered.body["checks"].items() if not check["ok"]} == {
        "models": f"AllowedModels names {bedrock}: configuration missing: BEDROCK_REGION; "
        "FallbackModels names gemini-3-pro-image: configuration missing: GEMINI_API_KEY"
    }


def test_a_check_without_an_answer_ends_in_time_and_keeps_no_other_from_being_told(stack: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = Api(stack | {"OPENAI_BASE_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/v1"})
        found = checks.run_checks(api.resources, seconds=3)

    assert found["openai"].error == "no answer within 3 s"
    assert found["jobs_bucket"].ok
