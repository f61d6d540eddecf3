"""The HTTP application and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from bridge.policy.rating import Rate
from bridge.server.acting import FAILURES, OWN, Acts, acting_routes
from bridge.server.answering import as_json
from bridge.server.guard import Doorkeeper, Guard, SecretPath
from bridge.server.guard import known as known_path
from bridge.server.hosts import Known
from bridge.server.metrics import Measure, metrics_route
from bridge.server.overview import Look
from bridge.server.reading import Bounds
from bridge.server.routes import Health, Intake, Readiness, health_routes, leads_route
from bridge.server.status import PAGE, STATUS, status_routes
from bridge.server.webhook import BASE, Changed, webhook_route

PEOPLE: Final = frozenset((PAGE, STATUS, FAILURES, *OWN))
REQUESTS: Final = Rate(200, 100.0)
WRONG_TOKENS: Final = Rate(10, 1.0)


def create_app(
    *,
    intake: Intake,
    status: Health,
    token: SecretStr | None,
    ready: Callable[[], Readiness] = Readiness,
    changed: Changed | None = None,
    webhook_token: SecretStr | None = None,
    measure: Measure | None = None,
    look: Look | None = None,
    acts: Acts | None = None,
    known: Known | None = None,
    max_body: int = 2**20,
    body_seconds: float = 30.0,
    answer_seconds: float = 20.0,
    requests: Rate = REQUESTS,
    wrong_tokens: Rate = WRONG_TOKENS,
) -> Starlette:
    """The HTTP application.

    `intake` stores tracks and returns how many were new. `status` is asked at each health check and need only be
    cheap: what it returns is not shown, a BridgeError from it makes the check answer 503. `ready` is asked, and `status`
    too, at each check of readiness. Without a `token` there is no intake. `changed` is given what LeadSquared's webhook brings,
    one body after another: the decoded JSON, or None where LeadSquared's changes should be looked at soon, for a body could
    not be used; without it or a `webhook_token` there is no webhook. `measure` is asked at each scrape; without it there are
    no metrics. `look` is asked for each status page; without it there is none. `acts` are for whoever has the `token`.
    A body has at most `max_body` bytes and arrives within `body_seconds`; `intake`, `status`, `measure`, `look`, `acts` and
    `changed` have `answer_seconds`. `requests` come in at each path (429 beyond that; the webhook is answered all the same),
    `wrong_tokens` from each address. With `known` what is for people is answered to who asks by such a host only.
    """
    bounds = Bounds(max_body, body_seconds, answer_seconds)
    routes, outer = health_routes(status, ready, bounds), list[Middleware]()
    if measure:
        routes.append(metrics_route(measure, bounds))
    if look:
        routes += status_routes(look, bounds)
    if token and token.get_secret_value():
        doorkeeper = Doorkeeper(token.get_secret_value().encode(), wrong_tokens)
        routes.append(leads_route(intake, doorkeeper, bounds))
        routes += acting_routes(acts, doorkeeper, bounds) if acts else []
    if changed and webhook_token and webhook_token.get_secret_value():
        routes.append(webhook_route(changed, bounds, requests))
        outer.append(Middleware(SecretPath, base=BASE, secret=webhook_token, rate=wrong_tokens))
    return _application(routes, outer, requests, known)


def _application(
    routes: list[Route], outer: list[Middleware], requests: Rate, known_host: Known | None
) -> Starlette:
    paths = [route.path for route in routes]
    always = [path for path in paths if path == known_path(BASE)]
    own = [path for path in paths if path in OWN]
    who = {"paths": paths, "always": always, "own": own, "people": PEOPLE}
    guard = Middleware(Guard, rate=requests, known=known_host, **who)
    app = Starlette(routes=routes, middleware=[*outer, guard], exception_handlers={HTTPException: as_json})
    app.router.redirect_slashes = False
    return app
