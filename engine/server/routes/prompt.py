"""`/prompt`, `/interrupt` and `/free`: what asks the worker to do, or to stop doing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from engine.jobs.dispatch import Submission
from engine.jobs.store import StoreError
from engine.server import limits
from engine.server.bodies import BadBodyError, answer, decode, read_object, refusal
from engine.server.services import services
from engine.worker.supervisor import WorkerUnavailableError

# Seconds for the worker to start and to answer; importing torch from a cold disk takes a minute.
PATIENCE = 180.0


async def remaining(request: web.Request) -> web.Response:
    """`GET /prompt`."""
    return answer({"exec_info": {"queue_remaining": services(request).dispatcher.remaining}})


async def submit(request: web.Request) -> web.Response:
    """`POST /prompt`: validate, queue, answer."""
    body = await read_object(request)
    shared = services(request)
    dispatcher = shared.dispatcher
    if "prompt" not in body:
        dispatcher.skip_number(body.get("number"))
        return refusal("no_prompt", "No prompt provided", "No prompt provided")
    asked = _submission(body)
    if dispatcher.wanted >= shared.options.max_queue:
        limit = f"{shared.options.max_queue} are the limit (--max-queue); try again when some have run"
        return refusal("queue_full", "Too many prompts wait", limit, status=429)
    if dispatcher.waiting_bytes >= limits.QUEUE:
        limit = f"{dispatcher.waiting_bytes} bytes wait; {limits.QUEUE} are the limit; try again when some have run"
        return refusal("queue_full", "The prompts that wait are too large together", limit, status=429)
    try:
        verdict = await dispatcher.submit(asked, patience=PATIENCE)
    except WorkerUnavailableError as error:
        message, _, details = str(error).partition("\n")
        return refusal("worker_unavailable", f"The prompt cannot be checked: {message}", details, status=503)
    except StoreError as error:
        status = 507 if error.trouble == "full" else 503
        return refusal("not_stored", "The prompt cannot be kept, so it is not accepted", str(error), status=status)
    except ValueError as error:
        raise BadBodyError(f"number: {error}") from error
    except (OverflowError, RecursionError) as error:
        raise BadBodyError(f"the prompt holds a value that cannot be processed: {error}") from error
    if verdict.error is not None:
        return answer({"error": verdict.error, "node_errors": verdict.node_errors}, status=400)
    return answer({"prompt_id": verdict.prompt_id, "number": verdict.number, "node_errors": verdict.node_errors})


async def interrupt(request: web.Request) -> web.Response:
    """`POST /interrupt`: of one prompt, or of whichever runs. A body that is not JSON counts as none."""
    try:
        body = decode(await request.read())
    except (ValueError, RecursionError):
        body = None
    prompt_id = body.get("prompt_id") if isinstance(body, dict) else None
    services(request).dispatcher.interrupt(prompt_id if isinstance(prompt_id, str) and prompt_id else None)
    return web.Response()


async def free(request: web.Request) -> web.Response:
    """`POST /free`."""
    body = await read_object(request)
    unload, everything = bool(body.get("unload_models")), bool(body.get("free_memory"))
    if unload or everything:
        services(request).dispatcher.free(unload_models=unload, free_memory=everything)
    return web.Response()


def _submission(body: Mapping[str, Any]) -> Submission:
    """The parts of the body with their types checked. Raises `BadBodyError` naming the first wrong one."""
    prompt = _of(body, "prompt", dict, "an object of nodes")
    extra = dict(_of(body, "extra_data", dict, "an object", {}))
    _of(extra, "extra_pnginfo", dict, "an object: its keys are written into pictures", None)
    client = _of(body, "client_id", str, "a string", None)
    if client is not None:
        extra["client_id"] = client
    prompt_id = _of(body, "prompt_id", str, "a string", None) or str(uuid.uuid4())
    _short("prompt_id", prompt_id)
    _short("client_id", client or "")
    targets = _of(body, "partial_execution_targets", list, "a list of node ids", None)
    if targets is not None and len(targets) > limits.LISTED:
        raise BadBodyError(f"partial_execution_targets has {len(targets)} ids; {limits.LISTED} are the limit")
    _check_size(prompt)
    return Submission(
        prompt_id=prompt_id,
        prompt=prompt,
        extra_data=extra,
        number=_number(body.get("number")),
        front=bool(body.get("front")),
        targets=None if targets is None else [str(one) for one in targets],
    )


def _check_size(prompt: Mapping[str, Any]) -> None:
    """Raises `BadBodyError` for a graph that is larger than any that a person made, before the worker walks it."""
    if len(prompt) > limits.NODES:
        raise BadBodyError(f"the prompt has {len(prompt)} nodes; {limits.NODES} are the limit")
    for node_id, node in prompt.items():
        _short("the id of a node", node_id)
        if not isinstance(node, dict):
            continue  # validation says what is wrong with it
        kind, inputs = node.get("class_type"), node.get("inputs")
        _short(f"class_type of node {node_id[:40]}", kind if isinstance(kind, str) else "")
        if isinstance(inputs, dict):
            if len(inputs) > limits.INPUTS:
                raise BadBodyError(f"node {node_id[:40]} has {len(inputs)} inputs; {limits.INPUTS} are the limit")
            for name, value in inputs.items():
                _short(f"the name of an input of node {node_id[:40]}", name)
                if type(value) is int and not -(2**63) <= value < 2**64:
                    inputs[name] = _rounded(value, f"input {name} of node {node_id[:40]}")


def _rounded(value: int, what: str) -> float:
    """A whole number that no message to the worker carries; validation then says that it is too large."""
    try:
        return float(value)
    except OverflowError:
        raise BadBodyError(f"{what} is a number of {value.bit_length()} bits; 64 are the limit") from None


def _short(what: str, text: str) -> None:
    if len(text) > limits.IDENTIFIER:
        raise BadBodyError(f"{what} is {len(text)} characters long; {limits.IDENTIFIER} is the limit")


def _of(body: Mapping[str, Any], name: str, kind: type, told: str, default: Any = ...) -> Any:
    value = body.get(name)
    if value is None and default is not ...:
        return default
    if not isinstance(value, kind):
        raise BadBodyError(f"{name} must be {told}")
    return value


def _number(value: Any) -> int | float | None:
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadBodyError("number must be a number") from error
