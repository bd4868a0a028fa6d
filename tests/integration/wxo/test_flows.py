"""The flows as the development kit compiles them: every path ends well, and a stand-in for WXO's engine runs them."""

from collections.abc import Iterator
from typing import Any

import pytest

from standins.wxo_flows import FlowStandIn, ToolFailedError

JOB = {"job_id": "5f0c1d9e-6f3a-4c3b-9b1e-0a4d6c7e8f90"}
FORM = {"Prompt": "a red sky", "Image": "https://wxo.example/files/sea.png"}
STORED = {
    "status": "completed",
    **JOB,
    "object_key": "results/a.png",
    "result_url": "https://x/a.png",
    "expires_in": 900,
}
FAILED = {"status": "failed", **JOB, "error": "OpenAIRejectedError: moderation_blocked"}
UPLOADED = {"image_key": "uploads/a/b", "filename": "sea.png", "error": ""}
BATCH = {
    **JOB,
    "status": "completed_with_errors",
    "total_files": 3,
    "processed": 2,
    "failed": 1,
    "fallback_local": 0,
    "total_files_processed": 2,
    "duration_seconds": 1.5,
    "output_bucket": "results",
    "output_prefix": "batch/1/",
    "errors": ["a.txt: UnsupportedImageError: the file is not an image"],
}
RAISES = ToolFailedError()

type Json = dict[str, Any]


@pytest.fixture(scope="module")
def flows(kit: Json) -> dict[str, Json]:
    return {flow["spec"]["name"]: flow for flow in kit["flows"]}


def paths(flow: Json, at: str = "__start__") -> Iterator[list[str]]:
    """Every way from a node to the end."""
    if at == "__end__":
        yield [at]
    for edge in flow["edges"]:
        if edge["start"] == at:
            for rest in paths(flow, edge["end"]):
                yield [at, *rest]


def assigned(flow: Json, node: str, prefix: str) -> set[str]:
    """The names below a prefix to which a script node gives a value."""
    spec = flow["nodes"][node]["spec"]
    lines = spec["fn"].splitlines() if spec["kind"] == "script" else []
    return {line.split(" = ", 1)[0].removeprefix(prefix) for line in lines if line.startswith(prefix)}


def outputs_of(flow: Json) -> Json:
    properties: Json = flow["schemas"][flow["spec"]["output_schema"]["$ref"].rsplit("/", 1)[1]]["properties"]
    return properties


def run(flow: Json, tools: Json, inputs: Json | None = None, form: Json | None = None) -> Any:
    def call(name: str, arguments: Json) -> Any:
        given = tools[name]
        if isinstance(given, ToolFailedError):
            raise given
        return given

    done = FlowStandIn(flow, call, inputs, form).run()
    assert done.last == done.mapped
    assert done.nodes[-1] == "result"
    return {name: value for name, value in done.last.items() if value}


@pytest.mark.parametrize(
    ("name", "count"), [("edit_folder", 3), ("edit_image_and_show", 6), ("edit_image_and_store", 5)]
)
def test_every_path_sets_every_output_in_the_one_node_before_the_end(
    flows: dict[str, Json], name: str, count: int
) -> None:
    flow = flows[name]
    outputs = set(outputs_of(flow))
    found = list(paths(flow))

    assert len(found) == count
    for path in found:
        assert path[-2:] == ["result", "__end__"]
        assert path[1] == "begin"
        assert assigned(flow, "begin", "flow.private.") == outputs
        assert assigned(flow, "result", "self.output.") == outputs
        kept = [node for node in path if node != "begin" and assigned(flow, node, "flow.private.")]
        assert len(kept) == 1, path
        assert "status" in assigned(flow, kept[0], "flow.private.")
        assert set(assigned(flow, kept[0], "flow.private.")) <= outputs
        assert ("error" in assigned(flow, kept[0], "flow.private.")) == (kept[0] not in ("shown", "stored", "done"))
    maps = flow["output_map"]["spec"]["maps"]
    assert {one["target_variable"]: one["value_expression"] for one in maps} == {
        f"flow.output.{output}": f'flow["result"].output.{output}' for output in outputs
    }


def test_every_node_is_on_a_path(flows: dict[str, Json]) -> None:
    for flow in flows.values():
        assert {node for path in paths(flow) for node in path} == set(flow["nodes"])


def test_every_tool_that_fails_leads_to_an_end_of_its_own(flows: dict[str, Json]) -> None:
    seen = []
    for flow in flows.values():
        for name, node in flow["nodes"].items():
            if node["spec"]["kind"] == "tool":
                handler = node["spec"]["error_handler_config"]
                assert handler["on_error"] == "branch"
                assert handler["error_message"]
                assert handler["retry_interval"] > 0
                (edge,) = [edge for edge in flow["edges"] if edge.get("id") == handler["error_edge_id"]]
                assert edge["start"] == name
                assert flow["nodes"][edge["end"]]["spec"]["kind"] == "script"
                # A second call of what starts a job would be paid for twice.
                assert (handler["max_retries"] == 0) == (name in ("edit", "batch"))
                seen.append(name)
    assert sorted(seen) == ["batch", "edit", "edit", "fetch", "upload", "upload"]


@pytest.mark.parametrize(
    ("tools", "result"),
    [
        pytest.param({}, {"status": "completed", **JOB, "image": "wxo:image"}, id="done"),
        pytest.param(
            {"processImageAsyncToCos": FAILED}, {"status": "failed", **JOB, "error": FAILED["error"]}, id="failed"
        ),
        pytest.param(
            {"upload_image": {"image_key": "", "filename": "a.pdf", "error": "a.pdf is not an image"}},
            {"status": "refused", "error": "a.pdf is not an image"},
            id="upload refused",
        ),
        pytest.param({"upload_image": RAISES}, {"status": "refused", "error": "could not be uploaded"}, id="no upload"),
        pytest.param(
            {"processImageAsyncToCos": RAISES}, {"status": "refused", "error": "did not accept"}, id="refused"
        ),
        pytest.param(
            {"fetch_result": RAISES},
            {"status": "completed", **JOB, "result_url": STORED["result_url"], "error": "open result_url"},
            id="not fetched",
        ),
    ],
)
def test_an_image_is_shown_or_it_is_said_why_not(flows: dict[str, Json], tools: Json, result: Json) -> None:
    usual = {"upload_image": UPLOADED, "processImageAsyncToCos": STORED, "fetch_result": "wxo:image"}

    found = run(flows["edit_image_and_show"], usual | tools, form=FORM)

    assert result.pop("error", "") in found.pop("error", "")
    assert found == result


@pytest.mark.parametrize(
    ("tools", "result"),
    [
        pytest.param({}, dict(STORED), id="done"),
        pytest.param(
            {"processImageAsyncToCos": FAILED}, {"status": "failed", **JOB, "error": FAILED["error"]}, id="failed"
        ),
    ],
)
def test_an_image_is_stored_or_it_is_said_why_not(flows: dict[str, Json], tools: Json, result: Json) -> None:
    usual = {"upload_image": UPLOADED, "processImageAsyncToCos": STORED}

    assert run(flows["edit_image_and_store"], usual | tools, form=FORM) == result


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        pytest.param(BATCH, {name: value for name, value in BATCH.items() if value}, id="done"),
        pytest.param(
            BATCH | {"status": "failed", "errors": [], "error": "StorageRejectedError: NoSuchBucket"},
            {name: value for name, value in BATCH.items() if value and name != "errors"}
            | {"status": "failed", "error": "StorageRejectedError: NoSuchBucket"},
            id="failed",
        ),
        pytest.param(RAISES, None, id="refused"),
    ],
)
def test_a_folder_is_edited_or_it_is_said_why_not(flows: dict[str, Json], answer: Any, result: Json | None) -> None:
    found = run(flows["edit_folder"], {"batchProcessImages": answer}, inputs={"prompt": "a red sky"})

    if result is None:
        assert found.pop("error").startswith("The service did not accept the batch.")
        result = {"status": "refused"}
    assert found == result


def test_a_file_that_the_service_does_not_take_is_not_taken_by_the_form(flows: dict[str, Json]) -> None:
    with pytest.raises(ValueError, match=r"the form takes no file .*\.pdf"):
        run(flows["edit_image_and_show"], {}, form=FORM | {"Image": "https://wxo.example/files/a.pdf"})
