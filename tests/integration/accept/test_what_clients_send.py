"""What real clients send beside what the documents ask for: each kind is read, or refused with advice."""

import base64
import json
import time
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest

from functions.accept.http.handlers import logger
from imagejobs.job_store import JobStore
from tests.integration.accept.conftest import Api
from tests.support.pictures import picture

IMAGE_ROUTES = ["/process-image-async-b64", "/process-image-async"]
BATCH_ROUTE = "/batch-process-images"
SOUND = base64.b64encode(picture()).decode()
UPLOAD = {"filename": "a.png", "content_type": "image/png", "size": 5}


@pytest.fixture
def sources(api: Api, store: JobStore) -> dict[str, str]:
    """An image by each of the three fields that name one."""
    image_key = api("POST", "/uploads", UPLOAD).body["image_key"]
    store.bucket.put(image_key, picture(), "image/png")
    return {"image_base64": SOUND, "image_key": image_key, "image_url": "https://pictures.example/a.png"}


class TestEmptyFields:
    """Agents fill in every field of a tool, and what they have nothing for with an empty string or null."""

    @pytest.mark.parametrize("route", IMAGE_ROUTES)
    @pytest.mark.parametrize("given", ["image_base64", "image_key", "image_url"])
    @pytest.mark.parametrize("nothing", ["", None])
    def test_of_an_image_are_absent(
        self, api: Api, store: JobStore, sources: dict[str, str], route: str, given: str, nothing: object
    ) -> None:
        empty = dict.fromkeys(["filename", *sources], nothing)
        answered = api.post(route, {"prompt": "p", **empty, given: sources[given]})

        assert answered.status == 202
        request = store.get_request(answered.body["job_id"])
        recorded = {"filename": request.filename, "image_key": request.image_key, "image_url": request.image_url}
        wanted = {given: sources[given]} if given != "image_base64" else {}
        assert recorded == dict.fromkeys(recorded, None) | wanted

    @pytest.mark.parametrize("nothing", ["", None])
    def test_of_a_batch_are_absent(self, api: Api, store: JobStore, nothing: object) -> None:
        body = {"prompt": "p", "prefix": nothing, "max_files": nothing, "output_prefix": nothing}
        request = store.get_request(api.post(BATCH_ROUTE, body).body["job_id"])

        assert (request.prefix, request.max_files, request.output_prefix) == (None, None, None)

    def test_and_absent_ones_make_the_same_request(self, api: Api) -> None:
        filled = {"prompt": "p", "image_base64": SOUND, "image_url": "", "image_key": "", "filename": ""}
        first = api.post(IMAGE_ROUTES[0], filled, Idempotency_Key="order-1")
        second = api.post(IMAGE_ROUTES[0], {"prompt": "p", "image_base64": SOUND}, Idempotency_Key="order-1")

        assert (first.status, second.status) == (202, 202)
        assert first.body == second.body

    def test_of_headers_and_query_are_absent(self, api: Api) -> None:
        assert api("GET", "/health?deep=").body["mode"] == "async"
        empty = {"callbackUrl": "", "Idempotency_Key": "", "x_correlation_id": "", "x_workshop_token": ""}
        assert api("POST", f"/jobs/{uuid4()}/retry", **empty).status == 404

    def test_alone_are_no_image(self, api: Api) -> None:
        answered = api.post(IMAGE_ROUTES[0], {"prompt": "p", "image_base64": "", "image_key": "", "image_url": ""})

        assert answered.status == 422
        assert answered.body["detail"][0]["msg"].endswith("got none of them")

    @pytest.mark.parametrize(
        ("route", "body", "field"),
        [
            (IMAGE_ROUTES[0], {"prompt": "", "image_base64": SOUND}, "prompt"),
            (BATCH_ROUTE, {"prompt": ""}, "prompt"),
            ("/uploads", UPLOAD | {"filename": ""}, "filename"),
            ("/uploads", UPLOAD | {"content_type": ""}, "content_type"),
            ("/uploads", UPLOAD | {"size": ""}, "size"),
        ],
    )
    def test_that_are_required_are_refused(self, api: Api, route: str, body: dict[str, Any], field: str) -> None:
        answered = api.post(route, body)

        assert answered.status == 422
        assert [item["loc"] for item in answered.body["detail"]] == [["body", field]]


@pytest.mark.parametrize("body", ["[]", '"x"', "5", "null", "[{}]"])
@pytest.mark.parametrize("route", [IMAGE_ROUTES[0], BATCH_ROUTE, "/uploads", "/mcp"])
def test_a_body_that_is_not_an_object_is_told_so(api: Api, route: str, body: str) -> None:
    (problem,) = api.post(route, body).body["detail"]

    assert (problem["loc"], problem["msg"]) == (["body"], "expected a JSON object")


class TestNumbers:
    @pytest.mark.parametrize(("sent", "read"), [("5", 5), ("5.0", 5), ("5e0", 5), ("1E+6", 1_000_000)])
    def test_that_are_whole_are_read_however_they_are_spelt(
        self, api: Api, store: JobStore, sent: str, read: int
    ) -> None:
        answered = api.post(BATCH_ROUTE, f'{{"prompt": "p", "max_files": {sent}}}')

        assert store.get_request(answered.body["job_id"]).max_files == read

    def test_of_an_upload_are_read_alike(self, api: Api) -> None:
        assert api("POST", "/uploads", UPLOAD | {"size": 5.0}).status == 201

    @pytest.mark.parametrize("sent", ['"5"', "5.5", "0.0", "-1", "true", "[5]", "1e300", "NaN", "Infinity"])
    def test_of_other_kinds_are_refused(self, api: Api, sent: str) -> None:
        answered = api.post(BATCH_ROUTE, f'{{"prompt": "p", "max_files": {sent}}}')

        assert answered.status == 422
        assert [item["loc"] for item in answered.body["detail"]] == [["body", "max_files"]]


class TestByteOrderMark:
    def test_before_a_body_is_passed_over(self, api: Api) -> None:
        assert api.post(BATCH_ROUTE, "\ufeff" + json.dumps({"prompt": "p"})).status == 202

    def test_before_a_binary_body_is_passed_over(self, api: Api) -> None:
        assert api.post(BATCH_ROUTE, json.dumps({"prompt": "é"}).encode("utf-8-sig")).status == 202

    @pytest.mark.parametrize("coding", ["utf-16", "utf-32"])
    def test_of_another_coding_is_refused(self, api: Api, coding: str) -> None:
        answered = api.post(BATCH_ROUTE, json.dumps({"prompt": "p"}).encode(coding))

        assert answered.status == 422
        assert answered.body["detail"][0]["loc"] == ["body"]


def lines(length: int, end: str) -> str:
    """The image's base64 in lines."""
    return "".join(SOUND[start : start + length] + end for start in range(0, len(SOUND), length))


MIXED = base64.b64encode(b"\xfb\xef\xff" * 20).decode()
# What is sent as image_base64, and what the answer says that is to be done.
MISTAKES = {
    "base64 command": (lines(76, "\n"), "base64 -w0"),
    "a line break at the end": (SOUND + "\n", "base64 -w0"),
    "Java's MIME encoder": (lines(76, "\r\n"), "Base64.getEncoder()"),
    "PEM lines": (lines(64, "\n"), "line breaks"),
    "base64url": (base64.urlsafe_b64encode(b"\xfb\xef\xff" * 20).decode(), "base64url"),
    "base64url without padding": ("_-8", "base64url"),
    "missing padding": ("aaaaaa", "6 characters are followed by =="),
    "half the padding": ("aaaaaa=", "6 characters are followed by =="),
    "cut off": ("aaaaa", "cut off"),
    "in quotation marks": (f'"{SOUND}"', "quotation marks"),
    "in single quotation marks": (f"'{SOUND}'", "quotation marks"),
    "in typographic ones": (f"\u201c{SOUND}\u201d", "quotation marks"),
    "Python's str of bytes": (str(SOUND.encode()), ".decode()"),
    "a URL": ("https://pictures.example/a.png", "give it as image_url"),
    "a URL in capitals": (" HTTP://PICTURES.EXAMPLE/A.PNG", "give it as image_url"),
    "a file's path": ("/home/me/cat.png", "what the file holds"),
    "a path on Windows": ("C:\\pictures\\cat.jpeg", "what the file holds"),
    "a file's name": ("my cat.heic", "what the file holds"),
    "a file: URL": ("file:///home/me/cat", "what the file holds"),
    "a data: URL": (f"data:image/png;base64,{SOUND}", "what follows its comma"),
    "a DATA: URL": (f"DATA:image/png;base64,{SOUND}", "what follows its comma"),
    "a data: URL behind a line break": (f"\n data:image/png;base64,{SOUND}", "what follows its comma"),
    "escaped line breaks": (lines(76, "\\n"), "escaped once too often"),
    "spaces for +": (MIXED.replace("+", " "), "form's encoding"),
    "percent-encoded": (MIXED.replace("+", "%2B"), "decode it first"),
    "other characters": ("aaaa\u00e9aaa", "outside A-Z"),
    "a placeholder": ("<base64>", "outside A-Z"),
    "two texts in one": ("aaa=aaa=", "before the end"),
    "base64 of base64": (base64.b64encode(SOUND.encode()).decode(), "an image in base64 text"),
}


@pytest.mark.parametrize(("sent", "advice"), [pytest.param(*row, id=name) for name, row in MISTAKES.items()])
def test_a_text_that_is_not_strict_base64_is_refused_with_advice(
    api: Api, store: JobStore, sent: str, advice: str
) -> None:
    answered = api.post(IMAGE_ROUTES[0], {"prompt": "p", "image_base64": sent})

    assert answered.status == 422
    (problem,) = answered.body["detail"]
    assert problem["loc"] == ["body", "image_base64"]
    assert advice in problem["msg"]
    assert len(problem["msg"]) < 200  # nothing of the image is repeated
    assert list(store.bucket.keys("")) == []


@pytest.mark.parametrize("sent", ["a" * 5_999_999, "/" * 5_999_999, "\\" * 6_000_000, " " * 6_000_000, "=" * 6_000_000])
def test_a_text_of_the_greatest_length_is_judged_at_once(api: Api, sent: str) -> None:
    started = time.process_time()
    answered = api.post(IMAGE_ROUTES[0], {"prompt": "p", "image_base64": sent})

    assert answered.status == 422
    assert time.process_time() - started < 2


class TestCorrelationId:
    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ("two words", "two%20words"),
            ('{"trace": 1}', '{"trace":%201}'),
            ("Jörg", "J%C3%B6rg"),
            ("100%", "100%25"),
            ("a;b,c", "a;b,c"),
            ("\ud800", "?"),
            ("x" * 129, "x" * 128),
        ],
    )
    def test_of_an_unusual_kind_is_replaced_and_both_are_told(
        self, api: Api, store: JobStore, given: str, told: str
    ) -> None:
        body = {"prompt": "p", "image_base64": SOUND}
        answered = api.post(IMAGE_ROUTES[0], body, x_correlation_id=given)

        assert answered.status == 202
        assert set(answered.body) == {"accepted", "job_id"}
        assert answered.headers["x-correlation-id-replaced"] == told
        made = answered.headers["x-correlation-id"]
        assert len(made) == 36
        assert store.get_request(answered.body["job_id"]).correlation_id == made

    def test_that_was_replaced_stands_in_the_log_beside_the_new_one(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written = StringIO()
        monkeypatch.setattr(logger.registered_handler, "stream", written)
        answered = api.post(BATCH_ROUTE, {"prompt": "p"}, x_correlation_id="two words")

        lines = [json.loads(line) for line in written.getvalue().splitlines()]
        (line,) = [line for line in lines if line["message"] == "accepted"]
        assert line["correlation_id"] == answered.headers["x-correlation-id"]
        assert line["correlation_id_replaced"] == "two%20words"

    def test_is_replaced_on_every_route(self, api: Api) -> None:
        assert api("GET", "/health", x_correlation_id="two words").headers["x-correlation-id-replaced"] == "two%20words"
        assert api("GET", "/nothing", x_correlation_id="a b").headers["x-correlation-id-replaced"] == "a%20b"

    @pytest.mark.parametrize("given", ["", "trace-7", "Root=1-67891233-abcdef012345678912345678", "00-4bf9-00f0-01"])
    def test_of_a_usual_kind_or_none_replaces_nothing(self, api: Api, given: str) -> None:
        headers = api("GET", "/health", x_correlation_id=given).headers

        assert "x-correlation-id-replaced" not in headers
        assert not given or headers["x-correlation-id"] == given
