"""The routes around jobs, and what every route has in common."""

import io
import json
from uuid import uuid4

import boto3
import pytest
from botocore.stub import Stubber

from functions.accept.http.handlers import logger
from functions.accept.http.routes import ROUTES
from imagejobs.job_store import JobStore
from tests.integration.accept.conftest import Api
from tests.integration.conftest import SECRETS


class TestUploads:
    BODY = {"filename": "big.png", "content_type": "image/png", "size": 12}  # noqa: RUF012

    def test_form_names_a_key_that_a_job_takes(self, api: Api, store: JobStore) -> None:
        upload = api("POST", "/uploads", self.BODY)
        assert upload.status == 201
        image_key = upload.body["image_key"]
        assert upload.body["fields"]["key"] == image_key
        store.bucket.put(image_key, b"x" * 12, "image/png")
        job = api.post("/process-image-async", {"prompt": "p", "image_key": image_key})

        assert job.status == 202
        assert store.get_request(job.body["job_id"]).image_key == image_key
        # A copy of its own: the upload is deleted after a day.
        kept = store.bucket.get(store.key(job.body["job_id"], "input"))
        assert (kept.body, kept.content_type) == (b"x" * 12, "image/png")

    def test_a_repeated_post_gives_its_job_when_the_upload_is_gone(self, api: Api, store: JobStore) -> None:
        image_key = api("POST", "/uploads", self.BODY).body["image_key"]
        store.bucket.put(image_key, b"x" * 12, "image/png")
        body = {"prompt": "p", "image_key": image_key}
        first = api.post("/process-image-async", body, Idempotency_Key="order-7")
        store.bucket.delete_all([image_key])

        assert api.post("/process-image-async", body, Idempotency_Key="order-7").body == first.body
        assert api.post("/process-image-async", body, Idempotency_Key="order-8").status == 422

    def test_policy_binds_size_and_type(self, api: Api) -> None:
        import base64

        fields = api("POST", "/uploads", self.BODY).body["fields"]
        conditions = json.loads(base64.b64decode(fields["policy"]))["conditions"]

        assert ["content-length-range", 12, 12] in conditions
        assert {"Content-Type": "image/png"} in conditions

    @pytest.mark.parametrize(
        "change",
        [{"size": 0}, {"size": 60 * 1024 * 1024}, {"content_type": "text/html"}, {"filename": ""}, {"filename": "a\n"}],
    )
    def test_bad_upload(self, api: Api, change: dict[str, object]) -> None:
        assert api("POST", "/uploads", self.BODY | change).status == 422


class TestAround:
    def test_health_has_exactly_the_contracts_fields(self, api: Api) -> None:
        assert api("GET", "/health").body == {
            "ok": True,
            "mode": "async",
            "callback_rewrite_enabled": False,
            "max_concurrent_jobs": 10,
            "callback_retries": 21,
            "fallback_single_enabled": True,
            "workshop_token_enabled": False,
        }

    def test_cos_config_has_exactly_the_contracts_fields(self, api: Api) -> None:
        assert api("GET", "/cos/config").body == {
            "endpoint": "",
            "region": "eu-geo",
            "input_bucket": "input",
            "output_bucket": "output",
            "input_prefix": "",
            "output_prefix": "results/batch",
            "presign_expires": 900,
        }

    def test_correlation_id_is_given_or_made(self, api: Api, image_body: dict[str, str], store: JobStore) -> None:
        answered = api.post("/process-image-async", image_body, x_correlation_id="trace-7")

        assert answered.headers["x-correlation-id"] == "trace-7"
        assert store.get_request(answered.body["job_id"]).correlation_id == "trace-7"
        assert len(api("GET", "/health").headers["x-correlation-id"]) == 36

    def test_unknown_route_and_method(self, api: Api) -> None:
        assert api("GET", "/nothing").status == 404
        answered = api("GET", "/uploads")
        assert (answered.status, answered.headers["Allow"]) == (405, "OPTIONS, POST")
        assert set(answered.body) == {"detail"}

    def test_every_route_asks_for_the_token_but_the_open_ones(self, stack: dict[str, str]) -> None:
        boto3.client("secretsmanager").put_secret_value(
            SecretId=stack["SECRET_ARN"], SecretString=json.dumps(SECRETS | {"WORKSHOP_TOKEN": "open sesame"})
        )
        api = Api(stack)

        answered = {
            (route.path, method): api(method, route.path.format(job_id=uuid4()), "{}").status
            for route in ROUTES
            for method in route.methods
        }

        answering = {path for (path, _), status in answered.items() if status != 401}
        assert answering == {"/", "/health", "/docs", "/console", "/openapi.json"}
        assert {status for (path, _), status in answered.items() if path in answering} == {200, 302}

    def test_head_and_options(self, api: Api) -> None:
        head = api("HEAD", "/health")
        assert (head.status, head.body) == (200, "")
        options = api("OPTIONS", "/uploads")
        assert (options.status, options.headers["Allow"]) == (204, "OPTIONS, POST")

    def test_a_slash_at_the_end_makes_no_other_route(self, api: Api) -> None:
        assert api("GET", "/health/").status == 200
        assert api("OPTIONS", "/docs/").headers["Allow"] == "GET, HEAD, OPTIONS"
        assert api("PUT", "/health/").status == 405

    def test_no_answer_is_to_be_sniffed(self, api: Api, job_id: str) -> None:
        calls = [("GET", "/health"), ("GET", f"/jobs/{job_id}"), ("GET", "/docs"), ("GET", "/openapi.json")]
        calls += [("GET", "/nothing"), ("PUT", "/health"), ("OPTIONS", "/uploads"), ("POST", "/uploads")]

        for method, path in calls:
            assert api(method, path).headers["X-Content-Type-Options"] == "nosniff", f"{method} {path}"

    @pytest.mark.parametrize("claimed", ["http", "javascript", "https://evil.example/"])
    def test_a_header_of_the_callers_does_not_make_the_location(
        self, api: Api, image_body: dict[str, str], claimed: str
    ) -> None:
        answered = api.post("/process-image-async", image_body, X_Forwarded_Proto=claimed)

        assert answered.headers["Location"].startswith("https://api.example/v1/jobs/")

    def test_cors_for_the_configured_origins_only(self, api: Api, stack: dict[str, str]) -> None:
        assert "Access-Control-Allow-Origin" not in api("GET", "/health", Origin="https://app.example").headers
        api = Api(stack | {"CORS_ALLOW_ORIGINS": "https://app.example, https://two.example"})

        for origin in ("https://app.example", "https://two.example"):
            headers = api("GET", "/health", Origin=origin).headers
            assert (headers["Access-Control-Allow-Origin"], headers["Vary"]) == (origin, "Origin")
        assert "Access-Control-Allow-Origin" not in api("GET", "/health", Origin="https://evil.example").headers
        preflight = api("OPTIONS", "/jobs/x", Origin="https://app.example")
        assert preflight.status == 204
        assert {"callbackUrl", "Prefer"} <= set(preflight.headers["Access-Control-Allow-Headers"].split(","))
        exposed = api("GET", "/health", Origin=origin).headers["Access-Control-Expose-Headers"]
        assert {"Location", "Preference-Applied"} <= set(exposed.split(","))

    @pytest.mark.parametrize("missing", ["input", "output"])
    def test_a_bucket_that_is_missing_is_told_with_what_to_do(
        self, api: Api, image_body: dict[str, str], missing: str
    ) -> None:
        job_id = api.post("/batch-process-images", {"prompt": "p"}).body["job_id"]
        boto3.client("s3").delete_bucket(Bucket=missing)

        if missing == "output":
            answered = api("GET", f"/jobs/{job_id}/images")
        else:
            answered = api.post("/batch-process-images", {"prompt": "p", "folder": str(uuid4())})

        assert answered.status == 500
        assert answered.body["detail"].startswith("NoSuchBucket: ")
        assert f"(bucket '{missing}'). The fault is not in the request" in answered.body["detail"]

    def test_storage_that_fails_is_503_with_retry_after(self, api: Api, job_id: str) -> None:
        with Stubber(api.resources.jobs.bucket.client) as s3:
            s3.add_client_error("get_object", "SlowDown", http_status_code=503)
            answered = api("GET", f"/jobs/{job_id}")

        assert answered.status == 503
        assert answered.headers["Retry-After"] == "5"

    def test_no_prompt_and_no_query_string_in_the_logs(
        self, api: Api, image_body: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        api.post("/process-image-async", image_body | {"prompt": "a secret wish"})
        api.post("/process-image-async", image_body | {"prompt": "a secret wish\u0000"})

        logged = str([record.__dict__ for record in caplog.records])
        assert "accepted" in logged
        assert "secret wish" not in logged
        assert "s3cret" not in logged


def test_the_bare_address_leads_to_the_page_below_the_stage(api: Api) -> None:
    answer = api("GET", "/")

    assert (answer.status, answer.headers["Location"]) == (302, "https://api.example/v1/docs")
    assert api("DELETE", "/").headers["Allow"] == "GET, HEAD, OPTIONS"


def test_a_callback_without_a_receiver_may_go_to_the_health_route(api: Api) -> None:
    assert api("POST", "/health", {"status": "completed", "job_id": str(uuid4())}).status == 200


class TestABrokenSecret:
    def test_its_member_and_type_are_told_and_nothing_of_what_it_holds(
        self, stack: dict[str, str], image_body: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        boto3.client("secretsmanager").put_secret_value(
            SecretId=stack["SECRET_ARN"], SecretString=json.dumps(SECRETS | {"OPENAI_API_KEY": ["sk-s3cret"]})
        )

        answered = Api(stack).post("/process-image-async", image_body)

        assert answered.status == 500
        assert answered.body == {"detail": "the secret's member OPENAI_API_KEY has another type: expected a string"}
        assert "s3cret" not in caplog.text

    def test_one_that_cannot_be_read_asks_to_come_back(self, stack: dict[str, str], image_body: dict[str, str]) -> None:
        answered = Api(stack | {"SECRET_ARN": "nothing"}).post("/process-image-async", image_body)

        assert (answered.status, answered.headers["Retry-After"]) == (503, "5")


def test_every_line_has_the_caller_and_the_route(
    api: Api, image_body: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", log)

    job_id = api.post("/process-image-async", image_body | {"filename": "anna.png"}, x_api_key="one").body["job_id"]
    api("GET", f"/jobs/{job_id}", x_api_key="one")
    api("GET", "/anna?name=anna", x_api_key="one")
    api("ANNA", "/health")

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    told = [(line["message"], line["route"], line.get("status")) for line in lines]
    assert told == [
        ("accepted", "POST /process-image-async", None),
        ("answered", "POST /process-image-async", 202),
        ("answered", "GET /jobs/{job_id}", 200),
        ("answered", "GET (no route)", 404),
        ("answered", "/health", 405),
    ]
    assert {line["caller"] for line in lines[:4]} == {"key:id-of-one"}
    assert "anna" not in log.getvalue().lower()


def test_an_unexpected_error_is_logged_without_its_message(
    api: Api, image_body: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", log)

    name = "anna.png"

    def fail(*_: object) -> None:
        raise LookupError(name)  # not the name itself: a stack shows the line

    monkeypatch.setattr(JobStore, "create", fail)
    answered = api.post("/process-image-async", image_body)

    assert answered.status == 500
    (line,) = [json.loads(one) for one in log.getvalue().splitlines() if "unexpected" in one]
    assert line["error"] == "LookupError"
    assert "submit.py" in "".join(line["stack"])
    assert "anna" not in log.getvalue()
