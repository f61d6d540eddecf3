"""`bridge leadbyte …`: single operations on LeadByte's leads, by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from bridge.cli.base import open_app, put, put_json
from bridge.cli.leadbyte_asking import agreed_to, gathered
from bridge.cli.leadbyte_sending import send
from bridge.cli.progress import awaited
from bridge.intake import track_of
from bridge.intake.forms import LEAD, QUARANTINE, Form, Given, spelling
from bridge.intake.operations import FINANCIALS, PROCESS, UPDATE
from bridge.model import Json, QueueReply
from bridge.operation import carried

if TYPE_CHECKING:
    from bridge.app import App

leadbyte = typer.Typer(
    name="leadbyte",
    help="""One LeadByte operation by hand: a poll, updates, release, reject, financials.

    Example: bridge leadbyte update 9000001 --set postcode="SW1A 1AA" --dry-run
    """,
)

DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Print the requests, the key masked; send and store nothing.")
]
From: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FILE|-",
        help="CSV with a header or JSON lines, a lead on each; - is stdin. Nothing is sent if any line is bad.",
    ),
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="Do it without being asked.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@leadbyte.command("queue")
def queue(queue_id: Annotated[str, typer.Argument(help="The queueId.")], as_json: AsJson = False) -> None:
    """Poll LeadByte once for a queueId, and track nothing.

    Example: bridge leadbyte queue ac1e0206-6d6fd2fa-62ce91e7-ba33-5cc458e6
    """
    reply = awaited("asking LeadByte", _polled(open_app(), track_of(queue_id).queue_id))
    values = _told(queue_id, reply)
    if as_json:
        put_json(values)
    else:
        put(*(f"{name:<14} {_shown(value)}" for name, value in values.items()))


async def _polled(app: App, queue_id: str) -> QueueReply:
    async with app.source() as source:
        return await source.poll(queue_id)


def _told(queue_id: str, reply: QueueReply) -> dict[str, Json]:
    view = reply.view
    return {
        "queue_id": queue_id,
        "status": reply.status,
        "verdict": reply.verdict,
        "processed": reply.processed,
        "lead_id": view["leadId"],
        "quarantine_id": view["quarantineId"],
        "buyer": view["buyer"],
        "response": view["response"],
    }


def _shown(value: Json) -> str:
    if value is None or value == "":
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@leadbyte.command("update")
def update(
    lead_id: Annotated[
        str | None, typer.Argument(help="The leadId of a valid lead.", show_default=False)
    ] = None,
    quarantine: Annotated[
        str | None, typer.Option("--quarantine", metavar="ID", help="The quarantineId of a quarantined lead.")
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="FIELD=VALUE",
            help="A LeadByte field and its new value; repeatable. Seen in the shell's history and the list of processes: "
            "give people's data with --from - instead.",
        ),
    ] = None,
    trigger: Annotated[
        list[str] | None,
        typer.Option("--trigger", metavar="ID", help="A delivery to trigger then; repeatable."),
    ] = None,
    reprocess: Annotated[bool, typer.Option("--reprocess", help="Reprocess the lead then.")] = False,
    release: Annotated[bool, typer.Option("--release", help="Release the quarantined lead then.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Reject the quarantined lead then.")] = False,
    source: From = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Set fields of a lead; then, if asked, reprocess it, trigger deliveries, release or reject it.

    Example: bridge leadbyte update 9000001 --set towncity=Leeds --reprocess
    """
    actions = {"reprocess": reprocess, "release": release, "reject": reject}
    wanted = [name for name, is_wanted in actions.items() if is_wanted]
    problems = [f"--{' --'.join(wanted)}: only one of them can be done; take one"] if len(wanted) > 1 else []
    values, wrong = _fields(fields or ())
    given = Given(values, "".join(wanted[:1]), tuple(trigger or ()))
    named: dict[str, Json] = {LEAD: lead_id, QUARANTINE: quarantine}
    told = [named] if any(each is not None for each in named.values()) else []
    _operate(UPDATE, given, told, source, [*problems, *wrong], dry_run=dry_run, yes=yes, as_json=as_json)


def _fields(settings: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Fields and their values, and what is wrong with any, without what it said."""
    values: dict[str, str] = {}
    seen: set[str] = set()
    problems = []
    for position, setting in enumerate(settings, 1):
        name, equals, value = setting.partition("=")
        if not equals or not name.strip():
            problems.append(f"--set {position}: is not FIELD=VALUE; write it so")
        elif spelling(name) in seen:
            problems.append(f"--set {position}: the same field is set twice; set it once")
        else:
            seen.add(spelling(name))
            values[name.strip()] = value
    return values, problems


@leadbyte.command("release")
def release(
    quarantine_ids: Annotated[
        list[str] | None, typer.Argument(help="quarantineIds to release.", show_default=False)
    ] = None,
    source: From = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Release quarantined leads as they are. LeadByte processes them anew, and may still reject them.

    Example: bridge leadbyte release 8419715 8419716
    """
    named = [{QUARANTINE: one} for one in quarantine_ids or ()]
    _operate(PROCESS["process"], Given(), named, source, dry_run=dry_run, yes=yes, as_json=as_json)


@leadbyte.command("reject")
def reject(
    quarantine_ids: Annotated[
        list[str] | None, typer.Argument(help="quarantineIds to reject.", show_default=False)
    ] = None,
    source: From = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Reject quarantined leads.

    Example: bridge leadbyte reject 8419715 --dry-run
    """
    named = [{QUARANTINE: one} for one in quarantine_ids or ()]
    _operate(PROCESS["reject"], Given(), named, source, dry_run=dry_run, yes=yes, as_json=as_json)


@leadbyte.command("financials")
def financials(
    lead_ids: Annotated[
        list[str] | None, typer.Argument(help="leadIds of approved leads.", show_default=False)
    ] = None,
    payout: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="The new payout of each, such as 80.00.")
    ] = None,
    revenue: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="The new revenue of each, such as 120.00.")
    ] = None,
    buyer: Annotated[str | None, typer.Option(metavar="BID", help="The buyer's BID.")] = None,
    source: From = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Set payout and revenue of approved leads, or one of them.

    Example: bridge leadbyte financials 9000001 --payout 80.00 --revenue 120.00
    """
    given = Given(payout=payout, revenue=revenue, buyer=buyer)
    named = [{LEAD: one} for one in lead_ids or ()]
    _operate(FINANCIALS, given, named, source, dry_run=dry_run, yes=yes, as_json=as_json)


def _operate(
    form: Form,
    given: Given,
    named: Sequence[Mapping[str, Json]],
    source: str | None,
    problems: Sequence[str] = (),
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    from bridge.cli.leadbyte_requests import show_requests

    operations = gathered(form, given, named, source, problems)
    app = open_app()
    if dry_run:
        show_requests(operations, app.settings.leadbyte, as_json=as_json)
    elif agreed_to(operations, yes=yes, as_json=as_json):
        send(app, list(map(carried, operations)), as_json=as_json)
    else:
        put("nothing was sent")
