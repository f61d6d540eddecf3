"""What an endpoint that fails answers: nothing of the inside to the caller, no more than a line to the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from bridge.errors import BridgeError

Endpoint = Callable[[Request], Awaitable[Response]]

LATER: Final = {"error": "not possible at the moment; try again later"}
log = structlog.get_logger("bridge.server")


def guarded(endpoint: Endpoint) -> Endpoint:
    """The same endpoint, with an answer for all that may go wrong in it. An HTTPException is left to `as_json`."""

    async def safe(request: Request) -> Response:
        path = request.scope["path"]
        try:
            return await endpoint(request)
        except HTTPException:
            raise
        except ClientDisconnect:
            return Response(status_code=400)
        except asyncio.CancelledError:
            # By a server that stops. It waits for nothing more, and would log a traceback.
            log.info("request cut off", path=path)
            return JSONResponse(LATER, 503)
        except (BridgeError, TimeoutError) as error:
            log.warning("request not served", path=path, reason=str(error) or "it took too long")
            return JSONResponse(LATER, 503)
        except Exception as error:  # noqa: BLE001 - any other way out of here is a traceback in the log
            log.error("request failed", path=path, kind=type(error).__name__)  # noqa: TRY400 - likewise
            return JSONResponse({"error": "failed for a reason of the bridge's own"}, 500)

    return safe


async def as_json(_: Request, error: Exception) -> Response:
    """The answer to an HTTPException."""
    assert isinstance(error, HTTPException)  # noqa: S101 - the only kind it is registered for
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
