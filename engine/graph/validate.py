"""Decides, before a prompt is accepted, which of its outputs can run, and says what is wrong with the others."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.files.folders import Folders
from engine.graph.checks import MATCHED, Error, InputCheck, NodeChecks, compile_checks
from engine.graph.links import is_link
from engine.nodes.definition import NodeDefinition

Prompt = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`outputs` may run; `error` is set when none may. `node_errors` is in the form clients get."""

    outputs: list[str] = field(default_factory=list)
    node_errors: dict[str, Any] = field(default_factory=dict)
    error: Error | None = None


@dataclass(slots=True)
class _State:
    """A node that was reached. `failures` are the nodes with errors of its own or above it."""

    errors: list[Error] = field(default_factory=list)
    failures: set[str] = field(default_factory=set)
    valid: bool = False
    open: bool = True  # it is on the path that is being walked


@dataclass(slots=True)
class _Step:
    """A node on the path that is being walked, and through which input of the node before it was reached."""

    node_id: str
    caller: InputCheck | None
    link: Any
    exception: Exception | None
    links: Iterator[tuple[InputCheck, Any]]
    state: _State


class Validator:
    """Checks prompts against node definitions.

    The walk uses a list and not recursion: a chain of thousands of nodes is legal, and Python's stack is short.
    """

    def __init__(self, registry: Mapping[str, NodeDefinition], folders: Folders) -> None:
        self._registry = registry
        self._folders = folders
        self._checks: dict[str, NodeChecks] = {}

    def validate(self, prompt: Prompt, targets: Sequence[str] | None = None) -> Verdict:
        """Check `prompt`; values are converted in place to what their inputs want.

        `targets` restricts the outputs to these nodes. Never raises: whatever a client sends is answered.
        """
        outputs: list[str] = []
        wanted = None if targets is None else set(targets)
        for node_id, node in prompt.items():
            if (refusal := self._refuse(node_id, node)) is not None:
                return Verdict(error=refusal)
            if self._registry[node["class_type"]].output_node and (wanted is None or node_id in wanted):
                outputs.append(node_id)
        if not outputs:
            return Verdict(error=_refusal("prompt_no_outputs", "Prompt has no outputs", ""))
        states: dict[str, _State] = {}
        good: list[str] = []
        node_errors: dict[str, Any] = {}
        lines: list[str] = []
        for output in outputs:
            if output not in states:
                self._walk(prompt, output, states)
            state = states[output]
            if state.valid:
                good.append(output)
                continue
            lines += [f"{error['message']}: {error['details']}" for error in state.errors]
            for node_id in sorted(state.failures):
                entry = node_errors.setdefault(
                    node_id,
                    {
                        "errors": states[node_id].errors,
                        "dependent_outputs": [],
                        "class_type": prompt[node_id]["class_type"],
                    },
                )
                entry["dependent_outputs"].append(output)
        if good:
            return Verdict(good, node_errors)
        message = "Prompt outputs failed validation"
        return Verdict([], node_errors, _refusal("prompt_outputs_failed_validation", message, "\n".join(lines)))

    def _refuse(self, node_id: str, node: Any) -> Error | None:
        """What makes the whole prompt unusable, wherever in it the node is."""
        where = f"Node ID '#{node_id}'"
        if not isinstance(node, dict) or "class_type" not in node:
            return _refusal(
                "invalid_prompt", "Cannot execute because a node is missing the class_type property.", where
            )
        name = node["class_type"]
        if not isinstance(name, str) or name not in self._registry:
            return _refusal("invalid_prompt", f"Cannot execute because node {name} does not exist.", where)
        if not isinstance(node.setdefault("inputs", {}), dict):
            return _refusal("invalid_prompt", "Cannot execute because a node's inputs are not an object.", where)
        return None

    def _walk(self, prompt: Prompt, output: str, states: dict[str, _State]) -> None:
        """Validate `output` and everything it needs, depth first."""
        path = [self._enter(prompt, output, None, None, states)]
        while path:
            step = path[-1]
            for check, link in step.links:
                known = states.get(link[0])
                if known is None:
                    path.append(self._enter(prompt, link[0], check, link, states))
                    break
                if known.open:
                    # Pulled through itself: filed under the node that closes the circle, once.
                    cycle = [*_since(path, link[0]), link[0]]
                    step.state.errors.append(_cycle_error(check.name, cycle))
                else:
                    step.state.failures |= known.failures
                    step.state.valid &= known.valid
            else:
                self._leave(prompt, step)
                path.pop()
                if path:
                    path[-1].state.failures |= step.state.failures
                    path[-1].state.valid &= step.state.valid

    def _enter(
        self, prompt: Prompt, node_id: str, caller: InputCheck | None, link: Any, states: dict[str, _State]
    ) -> _Step:
        """Check a node's own inputs; what it links to comes next."""
        state = states[node_id] = _State(valid=True)
        links: list[tuple[InputCheck, Any]] = []
        exception: Exception | None = None
        try:
            self._inspect(prompt, prompt[node_id], state.errors, links)
        except (LookupError, TypeError, AttributeError) as error:  # a link to an absent node, an absent output, …
            exception, links = error, []
        return _Step(node_id, caller, link, exception, iter(links), state)

    def _inspect(
        self, prompt: Prompt, node: dict[str, Any], errors: list[Error], links: list[tuple[InputCheck, Any]]
    ) -> None:
        inputs = node["inputs"]
        checks = self._checks_of(node["class_type"])
        for check in checks.inputs:
            name = check.name
            if name not in inputs:
                if check.required:
                    details = name.rpartition(".")[2]
                    errors.append(_error("required_input_missing", "Required input is missing", details, name))
                continue
            value = inputs[name]
            if isinstance(value, list):
                if len(value) != 2:
                    message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
                    config = check.config(self._folders)
                    extra = {"input_config": config, "received_value": value}
                    errors.append(_error("bad_linked_input", message, name, name, **extra))
                    continue
                received = self._linked_type(prompt, value)
                if not checks.types_by_function and not check.takes(received):
                    details = f"{name}, received_type({received}) mismatch input_type({check.kind})"
                    errors.append(
                        _error(
                            "return_type_mismatch",
                            "Return type mismatch between linked nodes",
                            details,
                            name,
                            input_config=check.config(self._folders),
                            received_type=received,
                            linked_node=value,
                        )
                    )
                    continue
                links.append((check, value))
                continue
            if isinstance(value, dict) and "__value__" in value:
                value = inputs[name] = value["__value__"]
            inputs[name], problem = check.check(value, self._folders)
            if problem is not None:
                errors.append(problem)

    def _linked_type(self, prompt: Prompt, link: list[Any]) -> Any:
        """The type that a link brings; through outputs that have the type of what was linked to their node, back to it."""
        seen: set[str] = set()
        while True:
            checks = self._checks_of(prompt[link[0]]["class_type"])
            if isinstance(link[1], int) and link[1] < 0:
                raise IndexError("tuple index out of range")  # Python would count from the end
            found = checks.output_types[link[1]]
            if found != MATCHED:
                return found
            inputs = prompt[link[0]].get("inputs")
            given: list[Any] = (
                [inputs.get(name) for name in checks.matched(link[1])] if isinstance(inputs, dict) else []
            )
            source = next((each for each in given if is_link(each) and each[0] in prompt), None)
            if source is None or link[0] in seen:  # nothing is linked there, or a circle, which is refused elsewhere
                return "*"
            seen.add(link[0])
            link = source

    def _leave(self, prompt: Prompt, step: _Step) -> None:
        """Everything above is known: the node's own function may speak, and the node is decided."""
        state = step.state
        if step.exception is None and not state.errors:
            try:
                state.errors += self._custom(prompt, prompt[step.node_id])
            except Exception as error:
                step.exception = error
        if step.exception is not None:
            state.errors[:] = [self._exception_error(step, step.exception)]
        if state.errors:
            state.valid = False
            state.failures.add(step.node_id)
        state.open = False

    def _custom(self, prompt: Prompt, node: dict[str, Any]) -> list[Error]:
        checks = self._checks_of(node["class_type"])
        function = checks.definition.validate_inputs
        if function is None:
            return []
        inputs = node["inputs"]
        given = {name: inputs[name] for name in checks.function_inputs if name in inputs and not is_link(inputs[name])}
        arguments: dict[str, Any] = dict(given)
        if "folders" in checks.function_takes:
            arguments["folders"] = self._folders
        if checks.types_by_function:
            arguments["input_types"] = {
                name: self._linked_type(prompt, value) for name, value in inputs.items() if is_link(value)
            }
        for name in checks.function_inputs:
            if name not in checks.function_takes:
                continue
            arguments.setdefault(name, None)  # linked, or left out: not known yet
        answer = function(**arguments)
        if answer is True:
            return []
        errors = []
        for name in list(given) + ["input_types"] * checks.types_by_function or checks.function_inputs or ("inputs",):
            details = name if answer is False else f"{name} - {answer}"
            errors.append(_error("custom_validation_failed", "Custom validation failed for node", details, name))
        return errors

    def _exception_error(self, step: _Step, error: Exception) -> Error:
        lines = traceback.format_tb(error.__traceback__)
        kind = _qualified(error)
        if step.caller is None:
            return {
                "type": "exception_during_validation",
                "message": "Exception when validating node",
                "details": str(error),
                "extra_info": {"exception_type": kind, "traceback": lines},
            }
        return _error(
            "exception_during_inner_validation",
            "Exception when validating inner node",
            str(error),
            step.caller.name,
            input_config=step.caller.config(self._folders),
            exception_message=str(error),
            exception_type=kind,
            traceback=lines,
            linked_node=step.link,
        )

    def _checks_of(self, name: str) -> NodeChecks:
        checks = self._checks.get(name)
        if checks is None:
            checks = self._checks[name] = compile_checks(self._registry[name])
        return checks


def _since(path: list[_Step], node_id: str) -> list[str]:
    ids = [step.node_id for step in path]
    return ids[ids.index(node_id) :]


def _cycle_error(name: str, cycle: list[str]) -> Error:
    # ComfyUI 0.8 drops such an output in silence; later versions refuse it under this type.
    return {
        "type": "dependency_cycle",
        "message": "Dependency cycle detected",
        "details": f"{name}: {' ← '.join(cycle)}",
        "extra_info": {"input_name": name, "cycle": cycle},
    }


def _error(kind: str, message: str, details: str, name: str, **extra: Any) -> Error:
    return {"type": kind, "message": message, "details": details, "extra_info": {"input_name": name, **extra}}


def _refusal(kind: str, message: str, details: str) -> Error:
    return {"type": kind, "message": message, "details": details, "extra_info": {}}


def _qualified(error: BaseException) -> str:
    name = type(error)
    return name.__qualname__ if name.__module__ == "builtins" else f"{name.__module__}.{name.__qualname__}"
