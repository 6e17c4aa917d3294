"""What a grader is taught of pairs that a judge compared."""

from pathlib import Path

import pytest
from tiny_run import ledger_of, resolved_spec, trace, write_segment

from gavel_train.contracts import RenderedMessages, Spec
from gavel_train.grader.contradicted import contradictions_of
from gavel_train.grader.examples import examples_of
from gavel_train.grader.lessons import distil
from gavel_train.grader.outcome import outcome_of, shown_in
from gavel_train.run.ledger import read_traces
from gavel_train.run.outcome import BadRequest

WORDS = {"first": "A", "second": "B", "tie": "C"}
SHOWN = {("ab", "A"): "first", ("ab", "B"): "second", ("ba", "A"): "second", ("ba", "B"): "first"}


def vote(prompt: str, pair: str, order: str, label: str, texts=("x", "y")) -> dict:
    said = SHOWN.get((order, label), "tie")
    shown = texts if order == "ab" else texts[::-1]
    line = trace(prompt, texts[0], None, f"grpo:1:0:{pair}:{order}:0", mode="pairwise", verdict="scored")
    return line | {
        "opponent": texts[1],
        "messages": [{"role": "user", "content": f"{prompt} 1. {shown[0]} 2. {shown[1]}"}],
        "reply": WORDS[said],
        "preference": {"label": label, "distribution": None, "win": 0.5, "order": order},
    }


def pairs() -> list[dict]:
    """Consistent pairs, with a tie, on twelve prompts, and two whose orders disagree."""
    votes = []
    for number in range(12):
        label = ("A", "B", "tie")[number % 3]
        votes += [vote(f"p{number}", "0-vs-1", order, label, (f"x{number}", "y")) for order in ("ab", "ba")]
    for order, label in (("ab", "A"), ("ba", "B")):
        votes.append(vote("p0", "2-vs-3", order, label, ("odd", "other")))
    return votes


def render(requests):
    """A gateway's answers; each question of a pair shows its first completion first."""
    return [
        RenderedMessages.model_validate(
            {
                "messages": [
                    {"role": "user", "content": f"{one.prompt} 1. {one.completion} 2. {one.opponent}"}
                ],
                "answer_prefix": "Better:",
                "reply": None if one.preferred is None else f" {WORDS[one.preferred]}",
            }
        )
        for one in requests
    ]


def spec_of() -> Spec:
    spec = resolved_spec(sft={"modes": ["pairwise"]})
    spec["judge"]["mode"] = "pairwise"
    return Spec.model_validate(spec)


@pytest.fixture
def run_dir(tmp_path) -> Path:
    write_segment(tmp_path, "grpo-e1-000001.jsonl", pairs())
    return tmp_path


def test_the_grader_learns_each_consistent_pair_in_both_orders_as_the_judge_was_shown_it(run_dir):
    spec = spec_of()
    found = examples_of(distil(run_dir, ledger_of(run_dir), render, spec), spec.sft)
    everything = found.train + found.holdout
    assert len(everything) == 24
    assert {example.mode for example in everything} == {"pairwise"}
    assert not any("odd" in example.messages[0]["content"] for example in everything)
    for example in everything:
        first = example.messages[0]["content"].split(" 1. ")[1].split(" 2. ")[0]
        number = int(example.messages[0]["content"].split(" ")[0][1:])
        label = ("A", "B", "tie")[number % 3]
        expected = "C" if label == "tie" else "A" if (label == "A") == first.startswith("x") else "B"
        assert (example.answer_prefix, example.reply) == ("Better:", f" {expected}")
    assert found.outcomes == {"first": 8, "second": 8, "tie": 8}


def test_a_judge_that_always_prefers_a_position_teaches_no_grader_and_the_reason_is_said(tmp_path):
    first = [place for place, shown in SHOWN.items() if shown == "first"]
    biased = [vote(f"p{n}", "0-vs-1", order, label) for n in range(20) for order, label in first]
    write_segment(tmp_path, "grpo-e1-000001.jsonl", biased)
    with pytest.raises(BadRequest, match="prefers a position"):
        distil(tmp_path, ledger_of(tmp_path), render, spec_of())


def test_the_same_question_from_two_pairs_is_taught_once(tmp_path):
    votes = [vote("p0", "0-vs-1", order, "A", ("x", "y")) for order in ("ab", "ba")]
    votes += [vote("p0", "1-vs-2", order, "B", ("y", "x")) for order in ("ab", "ba")]
    votes += [
        vote(f"q{n}", "0-vs-1", order, "A", (f"x{n}", "y")) for n in range(12) for order in ("ab", "ba")
    ]
    write_segment(tmp_path, "grpo-e1-000001.jsonl", votes)
    distilled = distil(tmp_path, ledger_of(tmp_path), render, spec_of())
    assert (len(distilled.lessons), distilled.duplicates) == (26, 2)


def test_a_trace_says_what_is_shown_first_and_what_of_it_is_preferred(run_dir):
    traces = [each.trace for each in read_traces(run_dir, ledger_of(run_dir))]
    by_order = {each.preference.order: each for each in traces if each.prompt == "p1"}
    assert [shown_in(by_order[order]) for order in ("ab", "ba")] == [("x1", "y"), ("y", "x1")]
    # B is better: it stands second in one order and first in the other.
    assert [outcome_of(by_order[order]) for order in ("ab", "ba")] == ["second", "first"]


@pytest.mark.parametrize(
    ("truth", "label", "contradicted"),
    [
        ("x", "A", False),
        ("x", "B", True),
        ("x", "tie", True),
        ("y", "B", False),
        ("z", "A", None),
    ],
)
def test_the_verifier_contradicts_a_judge_that_does_not_prefer_the_right_one(
    run_dir, truth, label, contradicted
):
    from gavel_train.contracts import Trace

    data = run_dir / "data"
    data.mkdir()
    row = f'{{"id": "1", "prompt": "p", "messages": null, "ground_truth": "{truth}", "meta": {{}}}}\n'
    (data / "train.jsonl").write_text(row)
    task = spec_of().task.model_copy(update={"params": {"verifier": "exact"}})
    contradicts = contradictions_of(run_dir, task)
    assert contradicts(Trace.model_validate(vote("p", "0-vs-1", "ab", label))) is contradicted
