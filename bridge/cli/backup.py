"""`bridge backup`: a copy of the database while the service runs."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.base import open_app, put, put_json
from bridge.cli.progress import BYTES, progress
from bridge.errors import StoreError, UsageError
from bridge.files import whole
from bridge.store import FILE

if TYPE_CHECKING:
    from bridge.app import App


def backup(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="The file to write, or a directory: then it is named by the time."
        ),
    ],
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """A consistent, checked copy of the database, also while the service runs. It holds people's data: mode 0600.

    Example: bridge backup /var/backups/bridge/
    """
    app = open_app()
    place = _place(app, path, force=force)
    leads, size = _write(app, place)
    if as_json:
        put_json({"path": str(place), "leads": leads, "bytes": size})
    else:
        put(f"{place}: {leads} leads, {size} bytes")


def _place(app: App, given: str, *, force: bool) -> Path:
    """Where the copy goes. Raises UsageError where it may not go, StoreError where there is nothing to copy."""
    state_dir = app.settings.state_dir
    if not (state_dir / FILE).exists():
        raise StoreError(f"{state_dir / FILE}: there is no database yet; set BRIDGE_STATE_DIR to where it is")
    path = Path(given)
    if given.endswith(os.sep) and not path.is_dir():
        raise UsageError(f"{given}: there is no such directory; create it, or give the name of a file")
    if path.is_dir():
        path /= datetime.fromtimestamp(app.clock(), UTC).strftime("bridge-%Y%m%dT%H%M%SZ.db")
    if state_dir.resolve() in path.resolve().parents:
        raise UsageError(f"{path}: lies in the state directory; give a path on another disk")
    if path.exists() and not (force and path.is_file()):
        raise UsageError(f"{path}: is there already; give another path, or add --force to overwrite a file")
    return path


def _write(app: App, place: Path) -> tuple[int, int]:
    try:
        with (
            app.store(create=False) as store,
            whole(place) as partial,
            progress("backup", BYTES, store.size(), lambda: partial.stat().st_size),
        ):
            leads = store.copy_to(partial)
        return leads, place.stat().st_size
    except OSError as error:
        raise StoreError(f"{place}: {error.strerror}; give a path that can be written") from None
