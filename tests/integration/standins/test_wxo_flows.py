"""The stand-in for WXO's flow engine: were it lenient, the tests of the flows would prove nothing."""

import copy
from typing import Any

import pytest

from standins.wxo_flows import FlowStandIn, Run, ToolFailedError

type Json = dict[str, Any]

TEXT = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}


def script(fn: str) -> Json:
    return {"spec": {"kind": "script", "fn": fn, "output_schema": {"$ref": "#/schemas/Text"}}}


FLOW: Json = {
    "schemas": {"Text": TEXT},
    "nodes": {
        "__start__": {"spec": {"kind": "start"}},
        "ask": {
            "spec": {
                "kind": "tool",
                "tool": "echo",
                "input_schema": {"$ref": "#/schemas/Text"},
                "output_schema": {"$ref": "#/schemas/Text"},
                "error_handler_config": {"max_retries": 1, "on_error": "branch", "error_edge_id": "ask_error"},
            },
            "input_map": {
                "spec": {"maps": [{"target_variable": "self.input.word", "value_expression": "flow.input.word"}]}
            },
        },
        "fork": {
            "spec": {
                "kind": "branch",
                "evaluator": {"expression": 'flow["ask"].output.word == "yes"'},
                "cases": {"true": {"node": "good"}, "false": {"node": "bad"}},
            }
        },
        "good": script('self.output.word = flow["ask"].output.word + "!"'),
        "bad": script('self.output.word = "no"'),
        "__end__": {"spec": {"kind": "end"}},
    },
    "edges": [
        {"start": "__start__", "end": "ask"},
        {"start": "ask", "end": "fork"},
        {"start": "ask", "end": "bad", "id": "ask_error"},
        {"start": "fork", "end": "good"},
        {"start": "fork", "end": "bad"},
        {"start": "good", "end": "__end__"},
        {"start": "bad", "end": "__end__"},
    ],
}


def run(flow: Json, word: Any = "yes", failures: int = 0) -> tuple[Run, int]:
    """The run, and how often the tool was called."""
    calls = []

    def echo(name: str, arguments: Json) -> Any:
        calls.append(name)
        if len(calls) <= failures:
            raise ToolFailedError
        return {"word": arguments["word"]}

    return FlowStandIn(flow, echo, inputs={"word": word}).run(), len(calls)


@pytest.mark.parametrize(
    ("word", "failures", "nodes", "last", "calls"),
    [
        ("yes", 0, ["__start__", "ask", "fork", "good"], "yes!", 1),
        ("maybe", 0, ["__start__", "ask", "fork", "bad"], "no", 1),
        ("yes", 1, ["__start__", "ask", "fork", "good"], "yes!", 2),
        ("yes", 2, ["__start__", "ask", "bad"], "no", 2),
    ],
)
def test_a_run_follows_branches_retries_and_error_edges(
    word: str, failures: int, nodes: list[str], last: str, calls: int
) -> None:
    done, called = run(FLOW, word, failures)

    assert done.nodes == nodes
    assert done.last == {"word": last}
    assert called == calls


@pytest.mark.parametrize(
    ("node", "fn", "message"),
    [
        pytest.param("bad", 'self.output.word = flow["good"].output.word', "good", id="a node that did not run"),
        pytest.param("bad", 'self.output.word = flow["ask"].output.other', "other is read", id="an absent field"),
        pytest.param("bad", "self.output.other = 1", "'word' is a required property", id="an output that is not set"),
        pytest.param("bad", 'self.output.word = "a"\nself.output.more = 1', "more", id="an undeclared output"),
        pytest.param("bad", "self.output.word = str(1)", "str", id="a built-in function"),
    ],
)
def test_a_script_that_wxo_might_not_run_is_refused(node: str, fn: str, message: str) -> None:
    flow = copy.deepcopy(FLOW)
    flow["nodes"][node] = script(fn)

    with pytest.raises((ValueError, AttributeError, KeyError, NameError), match=message):
        run(flow, "maybe")


@pytest.mark.parametrize(
    ("hurt", "message"),
    [
        pytest.param(lambda flow: flow["edges"].append({"start": "good", "end": "bad"}), "2 edges", id="two ways on"),
        pytest.param(lambda flow: flow["edges"].remove({"start": "good", "end": "__end__"}), "0 edges", id="no way on"),
        pytest.param(lambda flow: flow["edges"][5].update(end="ask"), "ask is reached twice", id="a circle"),
    ],
)
def test_a_flow_that_does_not_come_to_one_end_is_refused(hurt: Any, message: str) -> None:
    flow = copy.deepcopy(FLOW)
    hurt(flow)

    with pytest.raises(ValueError, match=message):
        run(flow)


def test_an_input_that_the_tool_does_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="the input of ask"):
        run(FLOW, word=7)
