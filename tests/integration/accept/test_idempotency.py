"""An Idempotency-Key: the same request is the same job, and another request is refused."""

import re
from typing import Any
from uuid import UUID

import pytest

from imagejobs.executions import ExecutionName, Executions
from imagejobs.job_store import JobStore
from tests.integration.accept.conftest import Api, once_before

BASE64_ROUTE = "/process-image-async-b64"
URL_ROUTE = "/process-image-async"
BATCH_ROUTE = "/batch-process-images"


class TestIdempotencyKey:
    def test_same_request_same_job(self, api: Api, image_body: dict[str, str], store: JobStore) -> None:
        first = api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-1")
        second = api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-1")

        assert (first.status, second.status) == (202, 202)
        assert first.body == second.body
        assert len([key for key, _ in store.bucket.keys("jobs/") if key.endswith("request.json")]) == 1

    @pytest.mark.parametrize("changed", [{"prompt": "make it red"}, {"filename": "dog.png"}])
    def test_another_body_is_a_conflict(self, api: Api, image_body: dict[str, str], changed: dict[str, str]) -> None:
        api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-3")

        assert api.post(BASE64_ROUTE, image_body | changed, Idempotency_Key="order-3").status == 409

    def test_another_route_is_a_conflict(self, api: Api, image_body: dict[str, str]) -> None:
        api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-4")

        assert api.post(URL_ROUTE, image_body, Idempotency_Key="order-4").status == 409

    def test_keys_of_two_callers_never_meet(self, api: Api, image_body: dict[str, str]) -> None:
        one = api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-5", x_api_key="key-of-one")
        other = api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-5", x_api_key="key-of-another")

        assert one.body["job_id"] != other.body["job_id"]

    def test_no_key_is_a_new_job(self, api: Api, image_body: dict[str, str]) -> None:
        assert api.post(BASE64_ROUTE, image_body).body != api.post(BASE64_ROUTE, image_body).body

    @pytest.mark.parametrize("step", ["create", "put_input", "start"])
    def test_a_post_after_a_crash_completes_the_job(
        self,
        api: Api,
        image_body: dict[str, str],
        store: JobStore,
        executions: Executions,
        monkeypatch: pytest.MonkeyPatch,
        step: str,
    ) -> None:
        def crash(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as broken:
            broken.setattr(Executions if step == "start" else JobStore, step, crash)
            with pytest.raises(KeyboardInterrupt):
                api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-6")

        job_id = api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-6").body["job_id"]
        assert store.get_request(job_id).prompt == image_body["prompt"]
        assert store.bucket.find(store.key(job_id, "input")) is not None
        assert executions.find_status(ExecutionName(job_id)) == "RUNNING"
        assert len({key.split("/")[1] for key, _ in store.bucket.keys("jobs/")}) == 1

    def test_a_post_after_the_start_changes_nothing(
        self, api: Api, image_body: dict[str, str], store: JobStore
    ) -> None:
        job_id = api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-8").body["job_id"]
        store.bucket.delete_all([store.key(job_id, "input")])

        assert api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-8").body["job_id"] == job_id
        assert store.bucket.find(store.key(job_id, "input")) is None

    @pytest.mark.parametrize("step", ["claim", "create", "put_input", "start"])
    def test_a_post_that_overtakes_another_gives_the_same_job(
        self,
        api: Api,
        stack: dict[str, str],
        image_body: dict[str, str],
        store: JobStore,
        monkeypatch: pytest.MonkeyPatch,
        step: str,
    ) -> None:
        def post(api: Api) -> Any:
            return api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-9").body["job_id"]

        others: list[str] = []
        owner: Any = Executions if step == "start" else JobStore
        once_before(monkeypatch, owner, step, lambda: others.append(post(Api(stack))))

        assert [post(api)] == others
        assert {key.split("/")[1] for key, _ in store.bucket.keys("jobs/")} == set(others)

    def test_the_job_id_says_nothing_of_the_key(self, api: Api, image_body: dict[str, str], store: JobStore) -> None:
        job_id = api.post(BASE64_ROUTE, image_body, Idempotency_Key="7", x_api_key="one").body["job_id"]
        guessed = {
            api.post(BASE64_ROUTE, image_body, Idempotency_Key=str(guess), x_api_key="stranger").body["job_id"]
            for guess in range(20)
        }

        assert UUID(job_id).version == 4  # random (RFC 9562)
        assert job_id not in guessed
        assert len(guessed) == 20
        assert all(re.fullmatch(r"idempotency/[0-9a-f]{64}", key) for key, _ in store.bucket.keys("idempotency/"))

    def test_a_key_whose_record_expired_is_refused(
        self, api: Api, image_body: dict[str, str], store: JobStore, executions: Executions
    ) -> None:
        job_id = api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-7").body["job_id"]
        executions.stop(ExecutionName(job_id), error="over", cause="")
        for key, _ in list(store.bucket.keys("jobs/")):
            store.bucket.delete_all([key])

        answered = api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-7")

        assert answered.status == 409
        assert "new key" in answered.body["detail"]
        assert store.find_request(job_id) is None

    def test_a_key_that_expired_itself_starts_a_new_job(
        self, api: Api, image_body: dict[str, str], store: JobStore
    ) -> None:
        job_id = api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-10").body["job_id"]
        for key, _ in list(store.bucket.keys("")):
            store.bucket.delete_all([key])

        again = api.post(BASE64_ROUTE, image_body, Idempotency_Key="order-10")
        assert (again.status, again.body["job_id"] == job_id) == (202, False)
