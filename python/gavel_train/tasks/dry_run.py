"""What a spec's verifier makes of sample answers: `python -m gavel_train.tasks.dry_run FOLDER`.

Reads spec.json and verify-request.json in the folder, makes the prompts as for a run, in memory, and writes
verify.json. Every row's own truth is checked; answers are listed for a few rows: the truth as the verifier
asks for it, ways in which a model may say it, the truth of another row, and those of a file.

Exits 2 with outcome.json where the spec, its data or the file cannot be used.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from gavel_train.contracts import PromptRow, Spec, VerifiedAnswer, VerifyReport, VerifyRequest
from gavel_train.run.directory import write_atomically
from gavel_train.run.outcome import EXIT_CODES, BadRequest, outcome_of
from gavel_train.tasks import Verifier, check_of, make_splits
from gavel_train.tasks.json_lines import UnusableData, records_in, text_at
from gavel_train.tasks.verifiers.evened import evened
from gavel_train.tasks.verifiers.phrasings import phrasings

_NAMED_ROWS = 100
_LISTED_REFUSED = 5


def main(folder: Path, root: Path) -> None:
    """Write the report; raises BadRequest with the spec field to fix."""
    spec = Spec.model_validate_json((folder / "spec.json").read_bytes())
    request = VerifyRequest.model_validate_json((folder / "verify-request.json").read_bytes())
    try:
        made = make_splits(spec.task, root)
        verifier = check_of(spec.task)
    except UnusableData as error:
        raise BadRequest("task.path", str(error)) from None
    except ValueError as error:
        raise BadRequest("task.params", str(error)) from None
    rows = [PromptRow.model_validate(row) for split in made.values() for row in split]
    try:
        given = [] if request.answers is None else list(_given(Path(request.answers), rows))
    except UnusableData as error:
        raise BadRequest("--answers", str(error)) from None
    name = spec.task.params.get("verifier", spec.task.name)
    report = report_of(str(name), verifier, rows, given, request.rows)
    write_atomically(folder / "verify.json", report.model_dump_json(indent=2) + "\n")


def report_of(
    name: str,
    verifier: Verifier | None,
    rows: Sequence[PromptRow],
    given: Sequence[tuple[PromptRow, str]],
    listed: int,
) -> VerifyReport:
    """Check the truth of every row, and list the answers of the first `listed` rows and the given ones."""
    known = [row for row in rows if row.ground_truth is not None]
    if verifier is None:
        return VerifyReport(
            verifier=None,
            checked=0,
            without_truth=len(rows) - len(known),
            refused_truths=[],
            refused=0,
            others=0,
            others_taken=0,
            answers=[],
        )
    truths = [_checked(verifier, row, "truth", verifier.right_answer(_truth(row))) for row in known]
    refused = [one.row for one in truths if one.value < 1]
    others = list(_others(verifier, known))
    answers: list[VerifiedAnswer] = []
    for number, row in enumerate(known[:listed]):
        said = [way for way in phrasings(_truth(row)) if way != truths[number].completion]
        answers += [truths[number], *(_checked(verifier, row, "phrasing", way) for way in said)]
        answers += [one for one in others if one.row == row.id]
    # A truth that is refused is what a person has to see, wherever it stands.
    shown = {row.id for row in known[:listed]}
    answers += [one for one in truths if one.value < 1 and one.row not in shown][:_LISTED_REFUSED]
    answers += [_checked(verifier, row, "given", completion) for row, completion in given]
    return VerifyReport(
        verifier=name,
        checked=len(known),
        without_truth=len(rows) - len(known),
        refused_truths=refused[:_NAMED_ROWS],
        refused=len(refused),
        others=len(others),
        others_taken=sum(one.value >= 1 for one in others),
        answers=answers,
    )


def _others(verifier: Verifier, rows: Sequence[PromptRow]) -> Iterator[VerifiedAnswer]:
    """Each row's answer made from the truth of the next row whose truth is another one."""
    every = ("case", "spaces", "punctuation")
    plain = [evened(_truth(row), every) for row in rows]
    for number, row in enumerate(rows):
        # A few steps ahead: there are runs of the same truth, and tasks of a single one.
        ahead = [(number + step) % len(rows) for step in range(1, min(len(rows), 50))]
        other = next((at for at in ahead if plain[at] != plain[number]), None)
        if other is not None:
            yield _checked(verifier, row, "other_truth", verifier.right_answer(_truth(rows[other])))


def _given(path: Path, rows: Sequence[PromptRow]) -> Iterator[tuple[PromptRow, str]]:
    """Rows and completions of a file, by id or prompt."""
    by_id = {row.id: row for row in rows}
    by_prompt = {row.prompt: row for row in rows}
    for _, where, record in records_in(path):
        completion = text_at(record, "completion", where)
        field = "id" if "id" in record else "prompt"
        wanted = text_at(record, field, where)
        row = by_id.get(wanted) if field == "id" else by_prompt.get(wanted)
        if row is None:
            raise UnusableData(
                f"{where}: field {field!r}: expected that of a prompt of the spec's task, found none"
            )
        if row.ground_truth is None:
            raise UnusableData(
                f"{where}: expected a prompt with a ground truth, found that of {row.id} without"
            )
        yield row, completion


def _checked(verifier: Verifier, row: PromptRow, kind: str, completion: str) -> VerifiedAnswer:
    value, read = verifier.check(completion, row)
    return VerifiedAnswer.model_validate(
        {
            "row": row.id,
            "kind": kind,
            "truth": _truth(row),
            "completion": completion,
            "read": read,
            "value": value,
        }
    )


def _truth(row: PromptRow) -> str:
    assert row.ground_truth is not None
    return row.ground_truth


def _run() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m gavel_train.tasks.dry_run FOLDER", file=sys.stderr)
        return EXIT_CODES["bad_request"]
    folder = Path(sys.argv[1]).resolve()
    try:
        main(folder, Path(os.environ.get("GAVEL_ROOT", ".")).resolve())
    except Exception as error:
        outcome = outcome_of(error)
        if outcome.status != "bad_request":
            traceback.print_exc(file=sys.stderr)
        write_atomically(folder / "outcome.json", outcome.model_dump_json(indent=2) + "\n")
        return EXIT_CODES[outcome.status]
    return 0


if __name__ == "__main__":
    sys.exit(_run())
