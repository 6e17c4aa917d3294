"""Contestants: a role in a mode, whose verdicts come from an endpoint, a file, or an earlier grading pass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, get_args

from gavel_train.audit.answer_sheet import read_verdict_rows
from gavel_train.audit.rows import AuditedRows
from gavel_train.audit.sample import Answers
from gavel_train.audit.verdict_file import read_verdict_file
from gavel_train.contracts import Contestant, GradingPass
from gavel_train.judging.gateway import GatewayClient
from gavel_train.judging.grading import Mode, Role, grade_rows
from gavel_train.run.outcome import BadRequest


@dataclass(frozen=True)
class Answered:
    """A contestant with its verdicts; `model` is the name that the endpoint has for it."""

    contestant: Contestant
    answers: Answers
    model: str | None


class Source(Protocol):
    """Where the verdicts of a contestant come from."""

    @property
    def contestant(self) -> Contestant:
        """Who it is."""
        ...

    @property
    def is_paid(self) -> bool:
        """Whether a model is asked."""
        ...

    def answer(self, rows: AuditedRows, threshold: int) -> Answered:
        """Get the verdicts; raises BadRequest where they are not about these rows."""
        ...


@dataclass(frozen=True)
class FromFile:
    """Verdicts that a user brings."""

    contestant: Contestant
    path: Path
    is_paid: bool = False

    def answer(self, rows: AuditedRows, threshold: int) -> Answered:
        """Read the file; raises BadRequest naming the line that cannot be used."""
        role, mode = self.contestant.role, self.contestant.mode
        sheet = read_verdict_file(self.path, rows, threshold, field=role)
        return Answered(self.contestant, sheet.answers(role, mode), None)


@dataclass(frozen=True)
class FromPass:
    """Verdicts of a grading pass that is over, say the judge's of stage grpo."""

    contestant: Contestant
    path: Path
    grading: GradingPass
    is_paid: bool = False

    def answer(self, rows: AuditedRows, threshold: int) -> Answered:
        """Read what the pass wrote."""
        del threshold
        return _graded(self.contestant, self.path, self.grading, rows)


@dataclass(frozen=True)
class FromEndpoint:
    """Verdicts that a gateway is asked for, and not paid for where its ledger has them.

    `out` gets verdicts and pass.
    """

    contestant: Contestant
    client: GatewayClient
    out: Path
    run_dir: Path
    segments: str
    is_paid: bool = True

    @property
    def verdicts(self) -> Path:
        """Where the verdicts are written."""
        return self.out / f"verdicts-{self.contestant.role}-{self.contestant.mode}.jsonl"

    def answer(self, rows: AuditedRows, threshold: int) -> Answered:
        """Grade the rows; raises BadRequest for a role or mode that gateways or these rows do not have."""
        del threshold
        role, mode = _asked_by_gateways(self.contestant)
        if (rows.subject == "pairwise") != (mode == "pairwise"):
            expected = "mode pairwise for pairs" if rows.subject == "pairwise" else "rows that are pairs"
            raise BadRequest(role, f"{role}: expected {expected}, found mode {mode} for {rows.subject} rows.")
        # No verdict of an earlier attempt is taken from `out`: only the gateway knows what it would ask now,
        # and its ledger answers what it asked before.
        grading = grade_rows(
            self.client,
            rows.rows,
            role,
            mode,
            out=self.out,
            run_dir=self.run_dir,
            segments=self.segments,
            rows_digest=rows.ordered_digest,
            gpus=self.contestant.gpus,
        )
        return _graded(self.contestant, self.verdicts, grading, rows)


def _graded(contestant: Contestant, path: Path, grading: GradingPass, rows: AuditedRows) -> Answered:
    sheet = read_verdict_rows(path, rows)
    answers = sheet.answers(contestant.role, contestant.mode, grading)
    return Answered(contestant, answers, grading.model)


def _asked_by_gateways(contestant: Contestant) -> tuple[Role, Mode]:
    role = next((role for role in get_args(Role) if role == contestant.role), None)
    mode = next((mode for mode in get_args(Mode) if mode == contestant.mode), None)
    if role is None:
        raise BadRequest(
            contestant.role,
            f"{contestant.role}: expected an endpoint to be one of {', '.join(get_args(Role))}; other roles "
            "are audited from files of verdicts.",
        )
    if mode is None:
        raise BadRequest(
            contestant.role,
            f"{contestant.role}: expected a mode of {', '.join(get_args(Mode))} for an endpoint, found "
            f"{contestant.mode}.",
        )
    return role, mode
