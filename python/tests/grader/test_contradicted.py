"""What SFT does with traces that the verifier contradicts."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tiny_run import ledger_of, render, resolved_spec, sums, take_epoch, trace, write_request, write_segment

from gavel_train.contracts import Spec, StageRequest, Trace
from gavel_train.grader.contradicted import contradictions_of
from gavel_train.grader.examples import Example, Examples, examples_of
from gavel_train.grader.folder import card
from gavel_train.grader.lessons import distil
from gavel_train.run.outcome import BadRequest

# Of the traces of `judged`: right completions that the judge fails, and a wrong one that it passes.
CONTRADICTED = {0, 5, 10, 15, 20, 25, 30, 31}


def write_split(run_dir: Path, split: str, truths: dict[str, str | None]) -> None:
    path = run_dir / "data" / f"{split}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"id": f"{split} {prompt}", "prompt": prompt, "ground_truth": truth, "meta": {}}
        for prompt, truth in truths.items()
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def graded(number: int, score: int, completion: str = "right", **changes) -> dict:
    occasion, reply = f"grpo:{number}:0:0:0", f"{number} Score: {score}"
    return trace(f"{number}?", completion, score, occasion, reply=reply) | changes


def run_of(folder: Path, traces: list[dict], truths: dict[str, str | None]) -> Path:
    write_segment(folder, "grpo-e1-000001.jsonl", traces)
    take_epoch(folder, "grpo", 1)
    write_split(folder, "train", truths)
    return folder


def judged(folder: Path) -> Path:
    """40 traces: 32 with ground truth, of which the judge gets 8 wrong, and 8 without."""
    traces = [graded(n, 2 if n in CONTRADICTED else 9) for n in range(31)]
    traces.append(graded(31, 9, "wrong"))
    traces += [graded(n, 9 if n % 2 else 1) for n in range(32, 40)]
    return run_of(folder, traces, {f"{n}?": "right" if n < 32 else None for n in range(40)})


def spec_of(**sft) -> Spec:
    sections = {"task": {"params": {"verifier": "exact"}}, "sft": {"modes": ["single_token"]} | sft}
    return Spec.model_validate(resolved_spec(**sections))


def build(run_dir: Path, **sft) -> Examples:
    spec = spec_of(**sft)
    return examples_of(distil(run_dir, ledger_of(run_dir), render, spec), spec.sft)


def number_of(example: Example) -> int:
    return int(example.messages[0]["content"].split("?")[0])


def numbers_of(examples: Sequence[Example]) -> set[int]:
    return {number_of(example) for example in examples}


def test_they_are_kept_with_equal_weights_by_default_and_counted(tmp_path):
    found = build(judged(tmp_path))
    assert numbers_of(found.train + found.holdout) == set(range(40))
    assert {example.weight for example in found.train} == {1.0}
    assert (found.traces, found.verified, found.contradicted, found.dropped) == (40, 32, 8, 0)


def test_dropped_ones_leave_those_that_the_verifier_confirms_and_those_without_truth(tmp_path):
    found = build(judged(tmp_path), contradicted="drop")
    assert numbers_of(found.train + found.holdout) == set(range(40)) - CONTRADICTED
    assert (found.traces, found.verified, found.contradicted, found.dropped) == (32, 24, 0, 8)


def test_weights_are_lowered_by_the_stated_factor_and_average_to_one(tmp_path):
    found = build(judged(tmp_path), contradicted="weight", contradicted_weight=0.1)
    weights = {number_of(example): example.weight for example in found.train}
    (less,) = {weight for number, weight in weights.items() if number in CONTRADICTED}
    (full,) = {weight for number, weight in weights.items() if number not in CONTRADICTED}
    assert less == pytest.approx(0.1 * full)
    assert sum(weights.values()) / len(weights) == pytest.approx(1)
    # The held-out loss is a measure, and weighs nothing.
    assert {example.weight for example in found.holdout} == {1.0}
    assert (found.traces, found.contradicted, found.dropped) == (40, 8, 0)


@pytest.mark.parametrize("balance", ["weight", "oversample"])
def test_the_weight_multiplies_with_what_balances_the_scores(tmp_path, balance):
    run_dir = judged(tmp_path)
    plain = build(run_dir, balance=balance)
    found = build(run_dir, balance=balance, contradicted="weight")
    assert [example.key for example in found.train] == [example.key for example in plain.train]
    products = [e.weight * (0.25 if number_of(e) in CONTRADICTED else 1) for e in plain.train]
    mean = sum(products) / len(products)
    assert [e.weight for e in found.train] == pytest.approx([product / mean for product in products])


def test_repeats_count_once_and_the_limit_counts_what_is_left(tmp_path):
    run_dir = judged(tmp_path)
    again = [graded(n, 2, key=f"{n:064x}") for n in (0, 5)]
    write_segment(run_dir, "grpo-e1-000002.jsonl", again)
    found = build(run_dir, contradicted="drop", max_examples=20)
    assert (found.traces, found.duplicates, found.dropped) == (20, 2, 8)
    assert not numbers_of(found.train + found.holdout) & CONTRADICTED


@pytest.mark.parametrize(
    ("p_pass", "score", "expected"), [(0.6, 4, True), (0.5, 5, False), (0.4, 9, False), (None, 9, None)]
)
def test_the_judge_passes_by_the_probability_of_a_passing_score(tmp_path, p_pass, score, expected):
    run_dir = run_of(tmp_path, [], {"1?": "right"})
    wrong = Trace.model_validate(graded(1, score, "wrong", p_pass=p_pass))
    assert contradictions_of(run_dir, spec_of().task)(wrong) is expected


def test_the_truth_of_eval_and_audit_rows_is_not_used_and_none_of_them_is_taught(tmp_path):
    traces = [graded(n, 2) for n in range(40)]
    traces += [trace("50?", str(n), 2, f"audit:r{n}:0") for n in range(20)]
    run_dir = run_of(tmp_path, traces, {f"{n}?": None for n in range(38)})
    # One prompt is spaced otherwise there.
    write_split(run_dir, "eval", {"38?": "right"})
    write_split(run_dir, "audit", {" 39? ": "right", "50?": "0"})
    for contradicted in ("keep", "drop", "weight"):
        found = build(run_dir, contradicted=contradicted)
        assert numbers_of(found.train + found.holdout) == set(range(38))
        assert (found.traces, found.excluded) == (38, 2)
        assert (found.verified, found.contradicted, found.dropped) == (0, 0, 0)


def test_a_held_out_prompt_is_not_taught_even_where_a_training_row_gives_its_truth(tmp_path):
    run_dir = run_of(tmp_path, [graded(n, 9) for n in range(40)], {f"{n}?": "right" for n in range(40)})
    write_split(run_dir, "audit", {"39?": "right"})
    found = build(run_dir, contradicted="weight")
    assert numbers_of(found.train + found.holdout) == set(range(39))
    assert found.verified == 39


def test_where_too_few_are_left_the_field_and_the_number_dropped_are_said(tmp_path):
    traces = [graded(n, 2) for n in range(40)]
    truths: dict[str, str | None] = {f"{n}?": "right" for n in range(40)}
    run_dir = run_of(tmp_path / "all", traces, truths)
    with pytest.raises(BadRequest, match=r"found 0 \(40 in all.* 40 contradicted .*weight or keep") as none:
        build(run_dir, contradicted="drop")
    assert none.value.field == "sft.contradicted"
    few = run_of(tmp_path / "few", traces, truths | {f"{n}?": None for n in range(15)})
    with pytest.raises(BadRequest, match=r"at least 16 .*found 15 ") as too_few:
        build(few, contradicted="drop")
    assert too_few.value.field == "sft.contradicted"
    assert build(few, contradicted="weight").contradicted == 25


@pytest.mark.parametrize(
    ("contradicted", "verifier", "dropped"),
    [
        ("keep", "has a word on 32 of them: agrees with 24, contradicts 8", 0),
        (
            "weight",
            "has a word on 32 of them: agrees with 24, contradicts 8, taught at 0.25 times the weight",
            0,
        ),
        ("drop", "has a word on 24 of them: agrees with 24, contradicts 0", 8),
    ],
)
def test_the_card_says_what_the_verifier_says_of_the_traces(tmp_path, contradicted, verifier, dropped):
    run_dir = judged(tmp_path / "runs/tiny")
    spec = spec_of(contradicted=contradicted)
    given = {"task": spec.task.model_dump(), "sft": spec.sft.model_dump()}
    epoch_dir = write_request(tmp_path, "sft", 1, **given)
    request = StageRequest.model_validate_json((epoch_dir / "request.json").read_bytes())
    text = card(request, build(run_dir, contradicted=contradicted), {})
    assert f"| verifier | {verifier} |" in text
    assert f", {dropped} that the verifier contradicts |" in text


def test_without_a_file_of_training_prompts_nothing_is_contradicted(tmp_path):
    write_segment(tmp_path, "grpo-e1-000001.jsonl", sums(20, 1))
    found = build(tmp_path, contradicted="drop")
    assert (found.traces, found.verified, found.dropped) == (20, 0, 0)
