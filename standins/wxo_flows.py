"""A stand-in for the flow engine of watsonx Orchestrate: runs a flow as the development kit has compiled it.

What it takes over from IBM's documentation: paths by edges and branches; a failed tool node is tried again, then left
by its error edge; scripts have `flow`, `self` and no built-in function. It is stricter where WXO is not documented:
whatever reads a node that did not run, or a field that is absent, ends the run.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from jsonschema import Draft4Validator

type Json = dict[str, Any]
type Call = Callable[[str, Json], Any]


class ToolFailedError(Exception):
    """A tool raised, or the service refused its call."""


class Values(dict[str, Any]):
    """A dictionary whose items are attributes too; what is absent cannot be read."""

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(f"{name} is read, and there are only {sorted(self)}")
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


@dataclass
class Run:
    """What a run came to: its nodes in order, what the last script set, and what the flow's output map gives."""

    nodes: list[str] = field(default_factory=list)
    last: Json = field(default_factory=dict)
    mapped: Json = field(default_factory=dict)


class FlowStandIn:
    """One run of a compiled flow: with its inputs, and with what the user enters in its form.

    `call` calls a tool by name with its arguments.
    """

    def __init__(self, flow: Json, call: Call, inputs: Json | None = None, form: Json | None = None) -> None:
        self._flow = flow
        self._nodes: Json = flow["nodes"]
        self._call = call
        self._form = form or {}
        self._state = Values(input=Values(inputs or {}), private=Values(), output=Values())

    def run(self) -> Run:
        """Run the flow.

        Raises:
            ValueError, AttributeError, KeyError: WXO would not come to an end, or to another one.
        """
        run, at = Run(), "__start__"
        steps: dict[str, Callable[[str], str]] = {
            "start": self._next,
            "script": self._script,
            "user_flow": self._user_flow,
            "tool": self._tool,
            "branch": self._branch,
        }
        while at != "__end__":
            if at in run.nodes:
                raise ValueError(f"{at} is reached twice: {run.nodes}")
            run.nodes.append(at)
            at = steps[self._spec(at)["kind"]](at)
        run.last = dict(self._state[run.nodes[-1]].output)
        self._map(self._flow.get("output_map"), "flow.", self._state)
        run.mapped = dict(self._state.output)
        return run

    def _script(self, name: str) -> str:
        self._state[name] = Values(output=Values())
        # The flows are this repository's own.
        exec(self._spec(name)["fn"], {"__builtins__": {}}, {"flow": self._state, "self": self._state[name]})
        if "output_schema" in self._spec(name):
            self._check(self._state[name].output, self._spec(name)["output_schema"], name)
        return self._next(name)

    def _user_flow(self, name: str) -> str:
        inner = {
            key: node["spec"]["form"] for key, node in self._nodes[name]["nodes"].items() if "form" in node["spec"]
        }
        for form in inner.values():
            schema = form["jsonSchema"]
            if set(schema["required"]) - set(self._form):
                raise ValueError(f"{name} asks for {schema['required']}, and {sorted(self._form)} is filled in")
            for label, of_field in schema["properties"].items():
                types = of_field.get("file_types")
                if types and PurePath(self._form[label]).suffix.lower() not in types:
                    raise ValueError(f"the form takes no file {self._form[label]}: only {types}")
        self._state[name] = Values({key: Values(output=Values(self._form)) for key in inner})
        return self._next(name)

    def _tool(self, name: str) -> str:
        spec, taken = self._spec(name), Values(input=Values())
        self._map(self._nodes[name].get("input_map"), "self.", taken)
        self._check(taken.input, spec["input_schema"], f"the input of {name}")
        handler = spec["error_handler_config"]
        for attempts_left in reversed(range(1 + handler["max_retries"])):
            try:
                given = self._call(spec["tool"], dict(taken.input))
            except ToolFailedError:
                if not attempts_left:
                    return self._next(name, handler["error_edge_id"])
            else:
                break
        if isinstance(given, dict):
            self._check(given, spec["output_schema"], f"the output of {name}")
            given = Values(given)
        self._state[name] = Values(output=given)
        return self._next(name)

    def _branch(self, name: str) -> str:
        spec = self._spec(name)
        node: str = spec["cases"][str(self._value(spec["evaluator"]["expression"])).lower()]["node"]
        return node

    def _next(self, name: str, edge_id: str | None = None) -> str:
        edges = [edge for edge in self._flow["edges"] if edge["start"] == name and edge.get("id") == edge_id]
        if len(edges) != 1:
            raise ValueError(f"{len(edges)} edges lead on from {name} (id {edge_id}): expected one")
        end: str = edges[0]["end"]
        return end

    def _spec(self, name: str) -> Json:
        spec: Json = self._nodes[name]["spec"]
        return spec

    def _map(self, mapping: Json | None, prefix: str, into: Values) -> None:
        for one in mapping["spec"]["maps"] if mapping else []:
            part, name = one["target_variable"].removeprefix(prefix).split(".", 1)
            into[part][name] = self._value(one["value_expression"])

    def _value(self, expression: str) -> Any:
        return eval(expression, {"__builtins__": {}}, {"flow": self._state})

    def _check(self, value: Json, schema: Json, what: str) -> None:
        """Refuse what does not have a node's schema. A None is a variable without a value."""
        found = self._flow["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        present = {name: one for name, one in value.items() if one is not None}
        problems = [
            f"{error.json_path}: {error.message[:200]}" for error in Draft4Validator(found).iter_errors(present)
        ]
        undeclared = set(value) - set(found["properties"])
        if problems or undeclared:
            raise ValueError(f"{what}: {problems} {sorted(undeclared)}")
