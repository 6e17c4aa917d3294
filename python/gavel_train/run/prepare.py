"""Prepares a run's data: `python -m gavel_train.run.prepare RUN_DIR` reads spec.json and writes data/*.jsonl.

Where the worker has left fit-request.json, fit.json says how much memory the run needs and has.

Exits 2 with data/outcome.json where the spec or its data file cannot be used. Running it again writes
the same bytes.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from pydantic import ValidationError

from gavel_train.contracts import FitRequest, Outcome, PromptRow, Rubric, Spec
from gavel_train.fit.report import report_of
from gavel_train.run.directory import keep_files_private, write_atomically, write_rows
from gavel_train.run.outcome import EXIT_CODES, BadRequest, outcome_of
from gavel_train.tasks import Verifier, check_of, make_splits
from gavel_train.tasks.evaluate_on import make_further
from gavel_train.tasks.json_lines import UnusableData
from gavel_train.tasks.unlabelled import hide_truths


def main(run_dir: Path, root: Path) -> None:
    """Write the splits and the problems of further tasks; raises BadRequest with the spec field to fix."""
    try:
        spec = Spec.model_validate_json((run_dir / "spec.json").read_bytes())
    except FileNotFoundError:
        raise BadRequest(None, f"{run_dir}/spec.json: expected the run's spec, found no such file") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadRequest(field, f"{run_dir}/spec.json: {field}: {first['msg']}") from None
    try:
        splits = make_splits(spec.task, root)
        verifier = check_of(spec.task)
    except UnusableData as error:
        raise BadRequest("task.path", str(error)) from None
    except ValueError as error:
        raise BadRequest("task.params", str(error)) from None
    rows = {split: [PromptRow.model_validate(row) for row in made] for split, made in splits.items()}
    check_disjoint(rows)
    if verifier is not None:
        probe(verifier, rows["train"])
    further = make_further(spec.task.evaluate_on, rows, root)
    try:
        rows["train"] = hide_truths(rows["train"], spec.task.unlabelled_fraction, spec.task.seed)
    except ValueError as error:
        raise BadRequest("task.unlabelled_fraction", str(error)) from None
    # A judge that is shown the truth cannot be asked about rows whose truth is hidden.
    check_references(run_dir, rows)
    for split, made in (rows | further).items():
        write_rows(run_dir / "data" / f"{split}.jsonl", made)
    if (run_dir / "fit-request.json").is_file():
        estimate(run_dir, spec, rows["train"])


def estimate(run_dir: Path, spec: Spec, prompts: list[PromptRow]) -> None:
    """Write fit.json. An estimate that fails is left out: it must not keep a run from starting."""
    try:
        request = FitRequest.model_validate_json((run_dir / "fit-request.json").read_bytes())
        report = report_of(spec, request, prompts)
    except Exception:
        traceback.print_exc(file=sys.stderr)
        return
    write_atomically(run_dir / "fit.json", report.model_dump_json(indent=2) + "\n")


def probe(verifier: Verifier, rows: list[PromptRow]) -> None:
    """Check one right answer; raises BadRequest where a verifier that a person wrote gives no verdict."""
    row = next((row for row in rows if row.ground_truth is not None), None)
    if row is not None and row.ground_truth is not None:
        verifier.check(verifier.right_answer(row.ground_truth), row)


def check_disjoint(rows: dict[str, list[PromptRow]]) -> None:
    """Raise BadRequest if a prompt or an id occurs twice, in one split or in two.

    A prompt is what a rollout is looked up by, and what keeps the audit apart from training.
    """
    for name in ("prompt", "id"):
        where: dict[str, str] = {}
        for split, made in rows.items():
            for row in made:
                value = getattr(row, name)
                if value in where:
                    # By its id: this message goes into Temporal's history, which holds no rows.
                    raise BadRequest(
                        "task",
                        f"Expected each {name} once, found that of {row.id} in {where[value]} and in {split}",
                    )
                where[value] = split


def check_references(run_dir: Path, rows: dict[str, list[PromptRow]]) -> None:
    """Raise BadRequest if the judge is to be shown a truth that a row does not have.

    The gateway refuses such a call, so the run would end at the first of them.
    """
    path = run_dir / "rubric.json"
    if not path.is_file() or not Rubric.model_validate_json(path.read_bytes()).reference_guided:
        return
    for split in ("train", "audit"):
        without = [row.id for row in rows.get(split, []) if row.ground_truth is None]
        if without:
            raise BadRequest(
                "judge.rubric",
                f"Expected a ground_truth in every row, because the rubric is reference-guided, found "
                f"{len(without)} without one in {split}, the first is {without[0]}",
            )


def _run() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m gavel_train.run.prepare RUN_DIR", file=sys.stderr)
        return EXIT_CODES["bad_request"]
    keep_files_private()
    run_dir = Path(sys.argv[1]).resolve()
    data = run_dir / "data"
    try:
        data.mkdir(exist_ok=True)
        main(run_dir, Path(os.environ.get("GAVEL_ROOT", ".")).resolve())
        outcome = Outcome(status="done", message="data is prepared", field=None)
    except Exception as error:
        outcome = outcome_of(error)
        traceback.print_exc(file=sys.stderr)
    try:
        write_atomically(data / "outcome.json", outcome.model_dump_json(indent=2) + "\n")
    except OSError as error:
        print(f"could not write {data}/outcome.json: {error}; outcome: {outcome}", file=sys.stderr)
    return EXIT_CODES[outcome.status]


if __name__ == "__main__":
    sys.exit(_run())
