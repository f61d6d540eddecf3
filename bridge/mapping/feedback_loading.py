"""A feedback file checked whole: what of the LeadSquared lead decides, and what LeadByte is told then."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from bridge.errors import LeadUnmappable
from bridge.mapping.document import Scalar, Table, shown
from bridge.mapping.feedback import AMOUNTS, MONEY, FeedbackFile
from bridge.mapping.feedback_trials import feedback_trials
from bridge.mapping.rules import Place, Rule, build, path_at
from bridge.operation import (
    ACTION,
    FINANCIALS_KEYS,
    LEAD_ID,
    QUARANTINE_ID,
    TRIGGER,
    UPDATE,
    Financials,
    amount,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.mapping.spec import Spec

KEYS: Final = (LEAD_ID, QUARANTINE_ID, "update", ACTION, TRIGGER, "financials", "dry_run")
"""Keys at the top of a feedback file only."""

LEARNED: Final = "learned"
"""Instead of a path to the id: only what was learned on the way forward."""

REPROCESS: Final = "reprocess"
ACTIONS: Final = (REPROCESS, "release", "reject")
_VALUE: Final = Place(None)
PLAIN: Final = Place(None, ("from", "value", "type", "default", "values", "otherwise"), ("text", "number"))
ID: Final = Place(None, ("from", "type", "values", "otherwise"), ("text", "number"), fixed=False)
"""Without a text of the file's own: an id that is the same for all leads would be a wrong one."""

FIELD_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")
DELIVERY: Final = re.compile(r"[0-9]{1,20}")
_NUMBER: Final = re.compile(r"[-+.£$€\s]*[0-9].*", re.DOTALL)
"""What begins like a number is no path: a JMESPath never does."""


def feedback(spec: Spec) -> FeedbackFile:
    """The feedback file that `spec` writes, which must not run if a problem was noted."""
    key = _key(spec)
    parts = FeedbackFile(
        name=PurePath(spec.ledger.file).stem,
        file=spec.ledger.file,
        key=key,
        id_rule=_id(spec, key),
        when=path_at(spec, "when", None),
        when_line=spec.line("when"),
        update=tuple(_update(spec)),
        action=spec.choice(ACTION, ACTIONS, ""),
        trigger=_trigger(spec),
        financials=tuple(_financials(spec)),
        dry_run=spec.flag("dry_run"),
        tests=(),
    )
    _combinations(spec, key)
    _decided(spec, parts)
    return feedback_trials(spec, parts)


def _key(spec: Spec) -> str:
    if LEAD_ID in spec and QUARANTINE_ID in spec:
        spec.problem(QUARANTINE_ID, "can't stand beside lead_id; write a file for each")
    elif LEAD_ID not in spec and QUARANTINE_ID not in spec:
        spec.problem(
            LEAD_ID,
            "is missing; write lead_id: (of a valid lead) or quarantine_id:, and the column that holds LeadByte's id",
        )
    return QUARANTINE_ID if LEAD_ID not in spec and QUARANTINE_ID in spec else LEAD_ID


def _id(spec: Spec, key: str) -> Rule | None:
    node = spec.table.entries.get(key)
    if node is None or (isinstance(node, Scalar) and (node.is_null or node.text == LEARNED)):
        return None
    return build(spec.ledger, key, node, spec.line(key), ID)


def _update(spec: Spec) -> Iterator[Rule]:
    update = spec.inner("update", "in update")
    if update is None:
        return
    if not update.table.entries:
        spec.problem("update", "holds no field; write lines like postcode: mx_Postcode below it")
    seen: dict[str, str] = {}
    for name, node in update.table.entries.items():
        line = update.line(name)
        if not FIELD_NAME.fullmatch(name):
            spec.ledger.add(
                line, f"{shown(name)} is no field; write LeadByte's own name, of letters, digits, _ and -"
            )
        if (first := seen.setdefault(name.casefold(), name)) != name:
            spec.ledger.add(line, f"{name} is the same field as {first}; remove one of the two")
        if rule := build(spec.ledger, f"{UPDATE}{name}", node, line, _VALUE):
            yield rule


def _trigger(spec: Spec) -> tuple[str, ...]:
    ids = spec.texts(TRIGGER)
    for one in ids:
        if not DELIVERY.fullmatch(one):
            spec.problem(TRIGGER, f"can't be {shown(one)}; write the digits of a delivery's id")
    return ids


def _financials(spec: Spec) -> Iterator[Rule]:
    money = spec.inner("financials", "in financials")
    if money is None:
        return
    money.only(FINANCIALS_KEYS)
    if not any(name in money for name in AMOUNTS):
        spec.problem("financials", "needs payout or revenue; add one of them")
    for name in FINANCIALS_KEYS:
        if name in money:
            yield from _money(money, name)


def _money(spec: Spec, name: str) -> Iterator[Rule]:
    """An amount or the buyer. What is written as a number stands for itself."""
    node, line = spec.table.entries[name], spec.line(name)
    if isinstance(node, Scalar) and _NUMBER.fullmatch(node.text):
        node = Table(line, {"value": node}, {"value": line})
    rule = build(spec.ledger, f"{MONEY}{name}", node, line, PLAIN)
    if rule is None:
        return
    advice = "write plain digits and a point" if name in AMOUNTS else "write LeadByte's id of the buyer (BID)"
    for text, where in rule.constants:
        if problem := _refused(name, text):
            spec.ledger.add(where, f"{name} {spec.where} can't be {shown(text)} ({problem}); {advice}")
    yield rule


def _refused(name: str, text: str) -> str:
    """Why LeadByte may not be told this text; "" where it may."""
    try:
        if name in AMOUNTS:
            Financials(("1",), payout=amount("it", text))
        else:
            Financials(("1",), payout=amount("it", "1"), buyer=text)
    except LeadUnmappable as error:
        return f"{error}".partition(": ")[2]
    return ""


def _combinations(spec: Spec, key: str) -> None:
    """What LeadByte's pages don't show together."""
    action = spec.text(ACTION)
    if key == LEAD_ID and action in ACTIONS[1:]:
        spec.problem(ACTION, f"can't be {action} of a lead_id; write quarantine_id:, or action: reprocess")
    if key == LEAD_ID:
        for name in [ACTION] * (action == REPROCESS) + [TRIGGER] * (TRIGGER in spec):
            if "update" not in spec:
                spec.problem(name, "works only with an update; add update: and a field below it")
        return
    if action == REPROCESS:
        spec.problem(ACTION, "can't be reprocess of a quarantine_id; write release or reject, or lead_id:")
    for name in (TRIGGER, "financials"):
        if name in spec:
            spec.problem(name, "can't stand beside quarantine_id; write lead_id:, in a file of its own")


def _decided(spec: Spec, parts: FeedbackFile) -> None:
    """It must ask for something, by something that can change."""
    if not any(key in spec for key in ("update", ACTION, TRIGGER, "financials")):
        spec.ledger.add(spec.at, "LeadByte is told nothing; add update:, action: or financials:")
    elif spec.ledger.is_empty and not parts.columns:
        spec.ledger.add(
            spec.at, "no column is read, so no change would ever do anything; add when:, or a path"
        )
