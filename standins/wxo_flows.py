"""A stand-in for the flow engine of watsonx Orchestrate: runs a flow as the development kit has compiled it.

What it takes over from IBM's documentation: paths by edges and branches; a failed tool node is tried again and then left by
its error edge; scripts have `flow`, `self` and no built-in function. It is stricter where WXO is not documented: whatever
reads a node that did not run, or a field that is absent, ends the run. Form fields are what the test fills in.
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
    """Runs one compiled flow; `call` calls a tool by name with its arguments."""

    def __init__(self, flow: Json, call: Call) -> None:
        self._flow = flow
        self._nodes: Json = flow["nodes"]
        self._call = call

    def run(self, inputs: Json | None = None, form: Json | None = None) -> Run:
        """Run the flow, with its inputs and with what the user enters in its form.

        Raises:
            ValueError: WXO would not come to an end, or to another one.
        """
        run, at = Run(), "__start__"
        state = Values(input=Values(inputs or {}), private=Values(), output=Values())
        while at != "__end__":
            if at in run.nodes:
                raise ValueError(f"{at} is reached twice: {run.nodes}")
            run.nodes.append(at)
            spec = self._nodes[at]["spec"]
            step = getattr(self, f"_{spec['kind']}", None)
            if step is None:
                raise ValueError(f"{at} is of the kind {spec['kind']}, which this stand-in does not know")
            at = step(at, spec, state, form or {})
            if spec["kind"] == "script":
                run.last = dict(state[spec["name"]]["output"])
        maps = self._flow.get("output_map", {"spec": {"maps": []}})["spec"]["maps"]
        for one in maps:
            _assign(one["target_variable"].removeprefix("flow."), _value(one["value_expression"], state), state)
        run.mapped = dict(state.output)
        return run

    def _start(self, name: str, spec: Json, state: Values, form: Json) -> str:
        return self._next(name)

    def _script(self, name: str, spec: Json, state: Values, form: Json) -> str:
        state[name] = Values(output=Values())
        # The flows are this repository's own.
        exec(spec["fn"], {"__builtins__": {}}, {"flow": state, "self": state[name]})
        if "output_schema" in spec:
            self._check(state[name].output, spec["output_schema"], name)
        return self._next(name)

    def _user_flow(self, name: str, spec: Json, state: Values, form: Json) -> str:
        forms = {
            inner: node["spec"]["form"] for inner, node in self._nodes[name]["nodes"].items() if "form" in node["spec"]
        }
        for made in forms.values():
            schema = made["jsonSchema"]
            if set(schema["required"]) - set(form):
                raise ValueError(f"{name} asks for {schema['required']}, and {sorted(form)} is filled in")
            for label, of_field in schema["properties"].items():
                types = of_field.get("file_types")
                if types and PurePath(form[label]).suffix.lower() not in types:
                    raise ValueError(f"the form takes no file {form[label]}: only {types}")
        state[name] = Values({inner: Values(output=Values(form)) for inner in forms})
        return self._next(name)

    def _tool(self, name: str, spec: Json, state: Values, form: Json) -> str:
        taken = Values(input=Values())
        for one in self._nodes[name].get("input_map", {"spec": {"maps": []}})["spec"]["maps"]:
            _assign(one["target_variable"].removeprefix("self."), _value(one["value_expression"], state), taken)
        self._check(taken.input, spec["input_schema"], f"the input of {name}")
        handler = spec["error_handler_config"]
        for attempt in range(1 + handler["max_retries"]):
            try:
                given = self._call(spec["tool"], dict(taken.input))
            except ToolFailedError:
                if attempt == handler["max_retries"]:
                    return self._next(name, handler["error_edge_id"])
            else:
                break
        if isinstance(given, dict):
            self._check(given, spec["output_schema"], f"the output of {name}")
            given = Values(given)
        state[name] = Values(output=given)
        return self._next(name)

    def _branch(self, name: str, spec: Json, state: Values, form: Json) -> str:
        label = str(_value(spec["evaluator"]["expression"], state)).lower()
        node: str = spec["cases"][label]["node"]
        return node

    def _next(self, name: str, edge_id: str | None = None) -> str:
        ends: list[str] = [
            edge["end"] for edge in self._flow["edges"] if edge["start"] == name and edge.get("id") == edge_id
        ]
        if len(ends) != 1:
            raise ValueError(f"{len(ends)} edges lead on from {name} (id {edge_id}): expected one")
        return ends[0]

    def _check(self, value: Json, schema: Json, what: str) -> None:
        """Refuse what does not have a node's schema. A None is a variable without a value."""
        found = self._flow["schemas"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
        present = {name: one for name, one in value.items() if one is not None}
        problems = [
            f"{error.json_path}: {error.message[:200]}" for error in Draft4Validator(found).iter_errors(present)
        ]
        undeclared = set(value) - set(found["properties"])
        if problems or undeclared:
            raise ValueError(f"{what}: {problems} {sorted(undeclared)}")


def _value(expression: str, state: Values) -> Any:
    return eval(expression, {"__builtins__": {}}, {"flow": state})


def _assign(target: str, value: Any, state: Values) -> None:
    part, name = target.split(".", 1)
    state[part][name] = value
