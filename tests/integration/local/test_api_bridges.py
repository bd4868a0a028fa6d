"""API Gateway on the embedded AWS, as `local.bridges.api` puts it right, and what else the service asks of it."""

import socket
import urllib.parse
from typing import Any

import httpx2
import psutil
import pytest
from botocore.exceptions import ClientError

from local import processes
from tests.integration.local.conftest import Aws

ECHO = """
import json

def handler(event, context):
    if event["path"] == "/open" and event["httpMethod"] == "PUT":
        raise ValueError("broken")
    seen = {name: event[name] for name in ("path", "httpMethod", "headers", "queryStringParameters")}
    seen["identity"] = event["requestContext"]["identity"]
    return {"statusCode": 200, "headers": {"x-answer": "yes"}, "body": json.dumps(seen)}
"""
DETAIL = {"responseTemplates": {"application/json": '{"detail": $context.error.messageString}'}}


@pytest.fixture(scope="module")
def api(aws: Aws) -> str:
    """A REST API made by CloudFormation from an OpenAPI document; its base URL."""
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{aws.function(ECHO)}/invocations"
    any_method = {
        "responses": {},
        "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": uri},
    }
    body = {
        "openapi": "3.0.1",
        "info": {"title": "echo", "version": "1"},
        "paths": {
            "/open": {"x-amazon-apigateway-any-method": any_method},
            "/{proxy+}": {
                "options": any_method,
                "x-amazon-apigateway-any-method": {**any_method, "security": [{"api_key": []}]},
            },
        },
        "components": {"securitySchemes": {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}},
        "x-amazon-apigateway-gateway-responses": {
            "DEFAULT_4XX": DETAIL,
            "DEFAULT_5XX": {**DETAIL, "statusCode": 503},
            "REQUEST_TOO_LARGE": {**DETAIL, "statusCode": 413},
        },
    }
    template: dict[str, Any] = {
        "Resources": {
            "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}},
            "Deployment": {
                "Type": "AWS::ApiGateway::Deployment",
                "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "v1"},
            },
        },
        "Outputs": {"Id": {"Value": {"Ref": "Api"}}},
    }
    return f"{aws.endpoint}/restapis/{aws.stack(template)['Id']}/v1/_user_request_"


def test_any_method_and_the_headers_arrive(api: str, http: httpx2.Client) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = http.request(method, f"{api}/open?a=1", headers={"callbackUrl": "http://x"})
        seen = answer.json()
        assert (answer.status_code, answer.headers["x-answer"], seen["httpMethod"]) == (200, "yes", method)
        assert {name.lower() for name in seen["headers"]} >= {"callbackurl"}
        assert seen["queryStringParameters"] == {"a": "1"}


def test_the_same_name_gives_an_api_the_same_id_and_never_that_of_another_one(aws: Aws) -> None:
    document = {"openapi": "3.0.1", "info": {"title": "kept", "version": "1"}, "paths": {}}
    template = {
        "Resources": {"Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": document}}},
        "Outputs": {"Id": {"Value": {"Ref": "Api"}}},
    }
    first, other = (aws.stack(template)["Id"] for _ in range(2))
    aws("apigateway").delete_rest_api(restApiId=first)

    assert first == aws.stack(template)["Id"] != other


def test_a_missing_api_key_is_a_gateway_response_in_the_documents_form(api: str, http: httpx2.Client) -> None:
    refused = http.get(f"{api}/jobs/1")

    assert (refused.status_code, refused.json()) == (403, {"detail": "Forbidden"})
    assert http.options(f"{api}/jobs/1").status_code == 200


def test_the_api_key_of_a_method_that_asks_for_one_is_told_by_its_id(aws: Aws, api: str, http: httpx2.Client) -> None:
    gateway = aws("apigateway")
    key = gateway.create_api_key(name="one", enabled=True)
    api_id = urllib.parse.urlsplit(api).path.split("/")[2]
    plan = gateway.create_usage_plan(name="plan", apiStages=[{"apiId": api_id, "stage": "v1"}])
    gateway.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    headers = {"x-api-key": key["value"]}

    asked, open_ = (http.get(f"{api}{path}", headers=headers).json()["identity"] for path in ("/jobs/1", "/open"))

    assert (asked["apiKeyId"], asked["apiKey"]) == (key["id"], key["value"])
    assert not {"apiKeyId", "apiKey"} & set(open_)


def test_a_function_that_fails_is_a_gateway_response_that_tells_nothing_of_the_failure(
    api: str, http: httpx2.Client
) -> None:
    answer = http.put(f"{api}/open")

    assert (answer.status_code, answer.json()) == (503, {"detail": "Internal server error"})


@pytest.mark.parametrize(("size", "status"), [(5_500_000, 200), (6_500_000, 413), (11_000_000, 413)])
def test_what_is_too_large_for_a_function_is_refused_by_the_gateway(
    api: str, size: int, status: int, http: httpx2.Client
) -> None:
    answer = http.post(f"{api}/open", content=b"x" * size, timeout=30)

    assert answer.status_code == status
    assert status == 200 or "detail" in answer.json()


def test_conditional_writes_decide_races(aws: Aws) -> None:
    s3, bucket = aws("s3"), aws.bucket()
    etag = s3.put_object(Bucket=bucket, Key="one", Body=b"1", IfNoneMatch="*")["ETag"]

    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"0123"'}):
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket=bucket, Key="one", Body=b"2", **condition)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    s3.put_object(Bucket=bucket, Key="one", Body=b"3", IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="one")["Body"].read() == b"3"


def test_it_listens_on_loopback_alone(emulator: tuple[processes.Process, str]) -> None:
    process, endpoint = emulator
    sockets = psutil.Process(process.pid).net_connections()
    listening = [one.laddr for one in sockets if one.status == psutil.CONN_LISTEN or one.type == socket.SOCK_DGRAM]

    assert listening == [("127.0.0.1", urllib.parse.urlsplit(endpoint).port)]
