"""Which operations a command asks for, and whether a person wants what cannot be undone."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

from bridge.cli.base import ask
from bridge.errors import UsageError
from bridge.intake import BadLine
from bridge.intake.forms import Form, Given
from bridge.intake.operations import Asked, made, once_each, read_operations
from bridge.model import Json
from bridge.operation import Financials, LeadUpdate, Operation, QuarantineProcess, QuarantineUpdate

NOBODY = "nobody can be asked; look with --dry-run, then add --yes"
NOTHING_SENT = "nothing was sent, not even for the other leads; mend this and run the command again"


def gathered(
    form: Form, given: Given, named: Sequence[Mapping[str, Json]], source: str | None, problems: Sequence[str]
) -> Sequence[Operation]:
    """The operations for the leads named in the command and in the file. Raises UsageError with all problems at once.

    `problems`: what is wrong with the command otherwise.
    """
    if not named and source is None:
        raise UsageError(*problems, "no lead is named; give its id, or a file with --from FILE (- for stdin)")
    operations, wrong = [], list(problems)
    for one in once_each(_asked(form, given, named, source)):
        if isinstance(one, BadLine):
            wrong.append(str(one))
        else:
            operations.append(one.operation)
    if wrong:
        raise UsageError(*wrong, NOTHING_SENT)
    if not operations:
        raise UsageError(f"{source}: there is no lead in it; give a file with a lead on each line")
    return operations


def _asked(
    form: Form, given: Given, named: Sequence[Mapping[str, Json]], source: str | None
) -> Iterator[Asked | BadLine]:
    for position, values in enumerate(named, 1):
        yield made("argument", position, form, values, given)
    if source is not None:
        with _opened(source) as stream:
            yield from read_operations(stream, source, form, given)


@contextmanager
def _opened(source: str) -> Iterator[BinaryIO]:
    if source == "-":
        if sys.stdin is None:
            raise UsageError("-: there is no standard input; give a file with --from FILE")
        yield sys.stdin.buffer
        return
    try:
        stream = Path(source).open("rb")  # noqa: SIM115 - closed below; only to open it may fail here
    except OSError as error:
        raise UsageError(f"{source}: {error.strerror}; give a file that can be read") from None
    with stream:
        yield stream


def agreed_to(operations: Sequence[Operation], *, yes: bool, as_json: bool) -> bool:
    """Whether this may be sent: what sets fields alone always may, all else asks a person, or `yes`.

    Raises UsageError where nobody can be asked.
    """
    if yes or not any(map(is_final, operations)):
        return True
    if as_json or sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"{question(operations)}: {NOBODY}")
    return ask(f"{question(operations)}?") is True


def is_final(operation: Operation) -> bool:
    """Whether it cannot be taken back, or is about money."""
    return not operation.repeatable or isinstance(operation, Financials)


def question(operations: Sequence[Operation]) -> str:
    """What is about to be done, such as `Release 3 quarantined leads`."""
    counted = Counter(map(_doing, operations))
    parts = [f"{verb} {n} {noun}{'' if n == 1 else 's'}" for (verb, noun), n in counted.items()]
    said = ", ".join(parts) + _money(operations)
    return said[:1].upper() + said[1:]


def _doing(operation: Operation) -> tuple[str, str]:
    if isinstance(operation, Financials):
        return "set the financials of", "lead"
    noun = "lead" if isinstance(operation, LeadUpdate) else "quarantined lead"
    return " and ".join(words(operation)), noun


def words(operation: LeadUpdate | QuarantineUpdate | QuarantineProcess) -> Iterable[str]:
    """What is done to a lead, a verb each."""
    if not isinstance(operation, QuarantineProcess):
        yield "update"
    if operation.action:
        yield "release" if operation.action == "process" else operation.action
    if isinstance(operation, LeadUpdate) and operation.trigger:
        yield f"trigger {', '.join(operation.trigger)} for"


def _money(operations: Sequence[Operation]) -> str:
    booked = [one for one in operations if isinstance(one, Financials)]
    sums = {
        name: [amount for one in booked if (amount := getattr(one, name)) is not None]
        for name in ("payout", "revenue")
    }
    told = [f"{name} {sum(found, Decimal()):.2f}" for name, found in sums.items() if found]
    return f" ({', '.join(told)} in all)" if told else ""
