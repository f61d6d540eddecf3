"""The asynchronous LeadSquared API ("Update a Lead (Async)"). The paths of status and metrics are unpublished."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from bridge.simulator.bulk import attributes
from bridge.simulator.host import Endpoint, HostSpec
from bridge.simulator.leadsquared import MISSING, keys_gate, wrong_region
from bridge.simulator.tasks import AsyncOptions, Task
from bridge.simulator.wire import BadCallError, Call, Reply, json_reply, mx_error
from bridge.simulator.world import World

_ACCEPTED: Final = "Request accepted. Please use below request id to check the status"
_BAD_BODY: Final = mx_error(
    400, "MXInvalidInputException", "The message body is not as per API specification"
)
_DENIED: Final = mx_error(401, "MXInvalidAccessDetailsException", "Invalid x-api-key")


def _api_key_gate(world: World, call: Call) -> Reply | None:
    if call.headers.get("x-api-key") != world.async_api_key:
        return _DENIED
    return None


def _update_gate(world: World, call: Call) -> Reply | None:
    """The submit takes its keys in the query and the header x-api-key besides."""
    in_query = Call(call.method, call.path, call.query, {})
    return _api_key_gate(world, call) or keys_gate(world, in_query)


def update(world: World, call: Call) -> Reply:
    """POST /lead/update: takes an update in. Whether the lead and its attributes exist is found out later."""
    lead = call.query.get("leadId", "").strip()
    if not lead:
        return mx_error(
            400, "MXMandatoryAttributeMissingException", "'leadId' is mandatory for updating lead"
        )
    body = call.json(_BAD_BODY)
    if not isinstance(body, list) or not body:
        raise BadCallError(_BAD_BODY)
    fields = attributes(body, _BAD_BODY)
    fires = call.query.get("postUpdatedLead", "").lower() == "true"
    task = world.tasks.accept(lead, fields, call.body.decode(), world.clock(), fires=fires)
    return json_reply({"Status": _ACCEPTED, world.tasks.options.request_key: task.request_id})


def status(world: World, call: Call) -> Reply:
    """GET /lead/update/status?RequestID=…"""
    request_id = call.query.get("RequestID", "")
    options = world.tasks.options
    task = world.tasks.get(request_id, world.clock())
    if task is None:
        code = 404 if options.unknown_request == "404" else 500
        return mx_error(code, "MXInvalidInputException", "Request Id does not exist")
    return json_reply({options.request_key: request_id, "TaskStatus": _task_status(task, options)})


def _task_status(task: Task, options: AsyncOptions) -> dict[str, Any]:
    return {
        "TaskType": "Lead Update",
        "Status": _word(task, options),
        "StatusReason": str(task.refusal.message) if task.refusal and options.message == "null" else "",
        "TaskCurrentStep": 1 if task.done else 0,
        "TaskLastStep": 1,
        "RequestBody": task.body,
        "Message": _message(task, options),
    }


def _word(task: Task, options: AsyncOptions) -> str:
    if not task.done:
        return options.queued_word
    return options.failure_word if task.refusal and not options.hidden_failure else options.success_word


def _message(task: Task, options: AsyncOptions) -> str | dict[str, Any] | None:
    if not task.done or options.message == "null":
        return None
    message: dict[str, Any] = {"Status": "Success", "Message": {"AffectedRows": 1}}
    if task.refusal:
        message = {
            "Status": "Error",
            "ExceptionType": task.refusal.kind,
            "ExceptionMessage": task.refusal.message,
        }
    return message if options.message == "object" else json.dumps(message)


def metrics(world: World, _call: Call) -> Reply:
    """GET /lead/update/metrics: how far behind the queue is."""
    now = world.clock()
    waiting = world.tasks.waiting()
    oldest = min((task.accepted_at for task in waiting), default=now)
    rate = world.tasks.finished_since(now - 60)
    shown = {
        "PendingMessages": len(waiting),
        "MaxDelayInSeconds": round(now - oldest),
        "ProcessingRatePerMinute": rate,
    }
    spelt = _SPELT[world.tasks.options.metrics]
    return json_reply({spelt(name): number for name, number in shown.items()})


_SPELT: Final[Mapping[str, Callable[[str], str]]] = {
    "pascal": str,
    "camel": lambda name: f"{name[0].lower()}{name[1:]}",
    "lower": str.lower,
    "upper": str.upper,
}


LEADSQUARED_ASYNC: Final = HostSpec(
    name="leadsquared_async",
    routes={
        ("POST", "/lead/update"): Endpoint("update", _update_gate, update),
        ("GET", "/lead/update/status"): Endpoint("status", _api_key_gate, status),
        ("GET", "/lead/update/metrics"): Endpoint("metrics", _api_key_gate, metrics),
    },
    missing=MISSING,
    whole_error=partial(mx_error, 500),
    denied=_DENIED,
    wrong_region=wrong_region,
)
