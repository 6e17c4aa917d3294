from pathlib import Path

from tiny_run import trace

from gavel_train.contracts import Trace
from gavel_train.grader.counted import consistent
from gavel_train.run.ledger import PlacedTrace


def vote(pair: str, order: str, label: str) -> PlacedTrace:
    preference = {"label": label, "distribution": None, "win": 0.5, "order": order}
    line = trace("p", "x", None, f"grpo:1:0:{pair}:{order}:0", verdict="scored", mode="pairwise")
    return placed(line | {"opponent": "y", "preference": preference})


def placed(line: dict) -> PlacedTrace:
    return PlacedTrace(Trace.model_validate(line), Path("traces/grpo-e1-1.jsonl"), 0, 1)


def test_a_pair_counts_where_both_orders_say_the_same():
    votes = [
        vote("0-vs-1", "ab", "A"),
        vote("0-vs-2", "ba", "tie"),
        vote("0-vs-1", "ba", "A"),
        vote("0-vs-2", "ab", "B"),
        vote("1-vs-2", "ab", "tie"),
        vote("1-vs-2", "ba", "tie"),
        vote("0-vs-3", "ab", "A"),
    ]
    kept = [each.trace.occasion for each in consistent(votes)]
    assert kept == [f"grpo:1:0:{pair}:{order}:0" for pair in ("0-vs-1", "1-vs-2") for order in ("ab", "ba")]


def test_a_step_that_was_sampled_again_is_not_mixed_with_what_it_had_before():
    def about(texts: str, order: str, label: str) -> PlacedTrace:
        each = vote("0-vs-1", order, label)
        return placed(each.trace.model_dump() | {"completion": texts})

    # Killed after one order of other texts was asked.
    votes = [about("old", "ab", "A"), about("new", "ab", "A"), about("new", "ba", "B")]
    assert list(consistent(votes)) == []
    votes = [about("old", "ab", "A"), about("new", "ba", "B"), about("new", "ab", "B")]
    assert [(each.trace.completion, each.trace.preference.order) for each in consistent(votes)] == [
        ("new", "ba"),
        ("new", "ab"),
    ]


def test_verdicts_on_single_completions_pass():
    line = trace("p", "x", 9, "grpo:1:0:0:0")
    assert [each.trace.score for each in consistent([placed(line), placed(line)])] == [9, 9]
