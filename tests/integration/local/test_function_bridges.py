"""Lambda on the embedded AWS, as `local.bridges.functions` puts it right."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from botocore.exceptions import ClientError

from tests.integration.local.conftest import Aws, task
from tests.support.waiting import wait_until

FAILING = """
class StorageUnavailableError(Exception):
    pass

calls = 0

def handler(event, context):
    global calls
    calls += 1
    if event.get("fail"):
        raise StorageUnavailableError("the bucket is away")
    return {"calls": calls}
"""


def invoke(aws: Aws, function: str, event: Any) -> tuple[Any, str | None, str]:
    answer = aws("lambda").invoke(FunctionName=function, Payload=json.dumps(event), LogType="Tail")
    return json.loads(answer["Payload"].read()), answer.get("FunctionError"), answer.get("LogResult", "")


def test_a_failed_handler_is_reported_by_its_exceptions_class_and_its_environment_goes_on(aws: Aws) -> None:
    function = aws.function(FAILING)

    (first, _, _), (error, kind, _), (third, _, _) = (invoke(aws, function, {"fail": n == 1}) for n in range(3))

    assert (first, third) == ({"calls": 1}, {"calls": 3})
    assert kind == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("StorageUnavailableError", "the bucket is away")
    assert 'raise StorageUnavailableError("the bucket is away")' in error["stackTrace"][-1]
    assert error["requestId"]


def test_a_crash_and_a_timeout_have_lambdas_names_and_end_nothing_but_the_call(aws: Aws) -> None:
    crashing = aws.function("import os\ndef handler(event, context):\n    return 'well' if event else os._exit(3)")
    sleeping = aws.function("import time\ndef handler(event, context):\n    time.sleep(20)", timeout=1)

    crash, timeout = (aws.run({"Try": task(function)}) for function in (crashing, sleeping))

    assert crash["error"] == "Runtime.ExitError"
    assert json.loads(crash["cause"])["errorMessage"].endswith("Runtime exited without providing a reason")
    assert invoke(aws, crashing, {"a": 1})[0] == "well"
    assert timeout["error"] == "Sandbox.Timedout"
    assert json.loads(timeout["cause"])["errorMessage"].endswith("Task timed out after 1.00 seconds")


def test_an_environment_can_be_crashed_at_work(aws: Aws, http: httpx2.Client) -> None:
    function = aws.function(
        "import time\ndef handler(event, context):\n    time.sleep(60)\n    return 'done'", timeout=90
    )
    execution = aws.start(aws.machine({"Try": task(function)}))

    def crash() -> bool | None:
        name = function.rpartition(":")[2]
        return http.post(f"{aws.endpoint}/_local/crash", params={"function": name}).json()["crashed"] or None

    assert wait_until(crash) == 1
    assert aws.finish(execution)["error"] == "Runtime.ExitError"


def test_new_code_and_variables_take_effect(aws: Aws) -> None:
    function = aws.function(
        "import os\ndef handler(event, context):\n    return os.environ['WHICH']", variables={"WHICH": "1"}
    )
    assert invoke(aws, function, {})[0] == "1"

    aws("lambda").update_function_configuration(FunctionName=function, Environment={"Variables": {"WHICH": "2"}})

    assert invoke(aws, function, {})[0] == "2"


def test_a_module_that_cannot_be_imported_says_so(aws: Aws) -> None:
    error, kind, _ = invoke(aws, aws.function("import nowhere_to_be_found"), {})

    assert kind == "Unhandled"
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert error["errorMessage"] == "Unable to import module 'app': No module named 'nowhere_to_be_found'"


@pytest.mark.parametrize(("package", "found"), [("boto3", True), ("pydantic", False), ("local", False)])
def test_a_function_sees_lambdas_packages_and_not_the_emulators(aws: Aws, package: str, found: bool) -> None:
    code = "from importlib.util import find_spec\ndef handler(event, context):\n    return find_spec(event) is not None"

    assert invoke(aws, aws.function(code), package)[0] is found


def test_invocations_run_side_by_side_in_environments_warmed_ahead(aws: Aws, http: httpx2.Client) -> None:
    code = "import os, time\ndef handler(event, context):\n    time.sleep(3)\n    return os.getpid()"
    function = aws.function(code)
    http.post(f"{aws.endpoint}/_local/warm", params={"function": function, "count": 6}, timeout=60).raise_for_status()

    with ThreadPoolExecutor(6) as pool:
        pids = list(pool.map(lambda _: invoke(aws, function, {})[0], range(6)))

    assert len(set(pids)) == 6


def test_the_log_is_complete_when_the_call_returns(aws: Aws) -> None:
    function = aws.function("import os\ndef handler(event, context):\n    print('one')\n    os.system('echo two')")
    invoke(aws, function, {})

    group = f"/aws/lambda/{function.rpartition(':')[2]}"
    text = "\n".join(event["message"] for event in aws("logs").filter_log_events(logGroupName=group)["events"])

    assert "one\ntwo" in text


def test_events_and_results_end_at_6_mb(aws: Aws) -> None:
    function = aws.function("def handler(event, context):\n    return 'x' * event['size']")
    with pytest.raises(ClientError) as refused:
        invoke(aws, function, {"size": 1, "padding": "x" * (6 * 1024 * 1024)})

    error, kind, _ = invoke(aws, function, {"size": 6 * 1024 * 1024})

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert refused.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    assert (kind, error["errorType"]) == ("Unhandled", "Function.ResponseSizeTooLarge")
    assert len(invoke(aws, function, {"size": 6_000_000})[0]) == 6_000_000
