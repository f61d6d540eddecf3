"""Who is let in at all: not too many at once, no web page, nothing that two readers may read in two ways, no wrong token."""

from __future__ import annotations

import asyncio
import hmac
import math
from collections.abc import Collection
from contextlib import suppress
from typing import Final
from urllib.parse import quote

from pydantic import SecretStr
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.policy.rating import Bucket, Guesses, Rate
from bridge.server.hosts import Known

FRAMING: Final = frozenset((b"transfer-encoding", b"content-length"))
ELSEWHERE: Final = frozenset((b"cross-site", b"same-site"))
GUESSED: Final = "too many wrong tokens; try again later"
NOT_FOR_PAGES: Final = "not for web pages"
UNKNOWN_HOST: Final = "not by this name; if it is the bridge's, add it to BRIDGE_SERVER__HOSTS"


def known(base: str) -> str:
    """The path that a request for `base/SECRET` has behind a SecretPath."""
    return f"{base}/…"


class SecretPath:
    """ASGI middleware, before all others. Behind it no scope holds the secret that is the last part of a path.

    Whoever shows the secret asks for `known(base)` behind it, whoever does not for `base` itself, which nothing may serve:
    that is an unknown path like any other. Compared in constant time; wrong ones from one address come at `rate` at most, and
    the right one always: LeadSquared may disable a webhook that answers 429.
    """

    def __init__(self, app: ASGIApp, *, base: str, secret: SecretStr, rate: Rate) -> None:
        self._app, self._base = app, base
        self._secret, self._guesses = secret.get_secret_value().encode(), Guesses(rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Cancelled where its answer is not being read, as by Guard."""
        app = self._app
        if scope["type"] == "http" and f"{scope['path']}/".startswith(f"{self._base}/"):
            right = self._opens(scope["path"])
            path = known(self._base) if right else self._base
            app = app if right else self._held_back(scope) or app
            scope = {**scope, "path": path, "raw_path": quote(path).encode()}
        with suppress(asyncio.CancelledError):
            await app(scope, receive, send)

    def _opens(self, path: str) -> bool:
        shown = path.removeprefix(self._base).removeprefix("/")
        return hmac.compare_digest(shown.encode(), self._secret)

    def _held_back(self, scope: Scope) -> JSONResponse | None:
        address = scope["client"][0] if scope["client"] else ""
        wait = self._guesses.judge(address, asyncio.get_running_loop().time(), right=False)
        return JSONResponse({"error": GUESSED}, 429, _after(wait)) if wait else None


class Guard:
    """ASGI middleware. Answers what is let in no further itself.

    Each of `paths` has a bucket of its own, and all other paths one together, so that a flood at one of them does not
    make a health check fail. An `Origin` header comes from a web page only: no page has any business here but the bridge's own,
    at the paths of `own`, which want the token. The paths of `always` are open however many come, and whatever they say they
    are: SecretPath has judged them. The paths of `people` are for who asks by a name that is `known`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        paths: Collection[str],
        always: Collection[str],
        rate: Rate,
        own: Collection[str] = (),
        people: Collection[str] = (),
        known: Known | None = None,
    ) -> None:
        self._app, self._always, self._own = app, frozenset(always), frozenset(own)
        self._people, self._known = frozenset(people), known
        self._others = Bucket(rate)
        self._buckets = {path: Bucket(rate) for path in paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. A server that stops cancels it where its answer is not being read: no reason for a traceback."""
        with suppress(asyncio.CancelledError):
            await (self._refusal(scope) or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        if scope["type"] != "http":
            return None
        judged = scope["path"] in self._always
        wait = 0.0 if judged else self._wait(scope["path"])
        if wait:
            return JSONResponse({"error": "too many requests; try again later"}, 429, _after(wait))
        names = {name for name, _ in scope["headers"]}
        if names >= FRAMING:
            return JSONResponse({"error": "the body's length is told twice"}, 400, {"Connection": "close"})
        if b"origin" in names and not judged and not (scope["path"] in self._own and _is_own(scope)):
            return JSONResponse({"error": NOT_FOR_PAGES}, 403)
        if self._known and scope["path"] in self._people and not _by_a(self._known, scope):
            return JSONResponse({"error": UNKNOWN_HOST}, 403)
        return None

    def _wait(self, path: str) -> float:
        return self._buckets.get(path, self._others).take(asyncio.get_running_loop().time())


def _is_own(scope: Scope) -> bool:
    """Whether the one Origin is the place that was asked: a page of this server, perhaps behind a TLS proxy."""
    origins, hosts = (_all(scope, name) for name in (b"origin", b"host"))
    return len(origins) == len(hosts) == 1 and origins[0] in {b"http://" + hosts[0], b"https://" + hosts[0]}


def _by_a(known: Known, scope: Scope) -> bool:
    hosts = _all(scope, b"host")
    return len(hosts) == 1 and known(hosts[0].decode("latin-1"))


def _all(scope: Scope, wanted: bytes) -> list[bytes]:
    return [value.strip().lower() for name, value in scope["headers"] if name == wanted]


class Doorkeeper:
    """Knows the one token. Compared in constant time; wrong ones from one address come at `rate` at most."""

    def __init__(self, token: bytes, rate: Rate) -> None:
        self._token, self._guesses = token, Guesses(rate)

    def admit(self, request: Request) -> None:
        """Raises HTTPException 401 without the token, 429 where the caller has guessed too often, 403 for other sites' pages.

        Who shows no token guesses none: any page that a browser here has open can ask so.
        """
        if ELSEWHERE.intersection(_all(request.scope, b"sec-fetch-site")):
            raise HTTPException(403, NOT_FOR_PAGES)
        given = [value for name, value in request.headers.raw if name == b"authorization"]
        if not given:
            raise _no_token()
        scheme, _, credentials = (given[0] if len(given) == 1 else b"").partition(b" ")
        right = hmac.compare_digest(credentials.strip(), self._token) and scheme.lower() == b"bearer"
        address = request.client.host if request.client else ""
        wait = self._guesses.judge(address, asyncio.get_running_loop().time(), right=right)
        if wait:
            raise HTTPException(429, GUESSED, _after(wait))
        if not right:
            raise _no_token()


def _no_token() -> HTTPException:
    return HTTPException(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})


def _after(wait: float) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(wait))}
