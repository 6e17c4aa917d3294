from typing import get_args

import numpy as np
import pytest
from graded_rows import answers, named, sample

from gavel_train.audit.measure import all_measures
from gavel_train.contracts import GradingPass, VerdictRow


def grading(role="grader", verdicts_per_s=4.0, gpus=None):
    return GradingPass(
        role=role,
        mode="single_token",
        model="m",
        rows=4,
        asked=3,
        seconds=1.0,
        verdicts_per_s=verdicts_per_s,
        gpus=gpus,
        prompt_tokens=1,
        completion_tokens=1,
    )


def test_every_kind_of_verdict_has_a_share():
    kinds = get_args(VerdictRow.model_fields["verdict"].annotation)
    names = {one.name for one in all_measures() if one.part == "coverage"}
    assert names == {*kinds, "missing", "value_is_expectation", "scored_among_right", "scored_among_wrong"}


def test_verdicts_are_counted_by_kind():
    kinds = np.array(["scored", "unparseable", "scored", "missing"])
    rows = sample([0, 0, 1, 1], answers(score=[1, np.nan, 2, np.nan], kind_N=kinds))
    shares = {
        name: named("coverage", name).statistic(rows).point
        for name in ("scored", "unparseable", "missing", "failed")
    }
    assert shares == {"scored": 0.5, "unparseable": 0.25, "missing": 0.25, "failed": 0.0}


def test_coverage_is_counted_among_right_and_among_wrong_completions():
    rows = sample([0, 1, 2, 3, 4], answers(score=[1, 2, np.nan, 4, np.nan]), truth=[0, 1, 1, 1, -1])
    found = {name: named("coverage", f"scored_among_{name}").statistic(rows) for name in ("right", "wrong")}
    assert {name: (one.point, one.n) for name, one in found.items()} == {
        "right": (pytest.approx(2 / 3), 3),
        "wrong": (1, 1),
    }
    assert named("coverage", "scored_among_wrong").statistic(sample([0], answers(score=[1]))) is None


def test_rows_of_an_endpoint_are_never_missing():
    rows = sample([0, 1], answers(score=[1, 2], grading=grading()))
    assert named("coverage", "missing").statistic(rows) is None


def test_expectations_are_counted_among_the_rows_with_a_value():
    rows = sample([0, 1, 2], answers(score=[1, 2, np.nan], value=[1.2, 2, np.nan]))
    found = named("coverage", "value_is_expectation").statistic(rows)
    assert (found.point, found.n) == (0.5, 2)


def test_a_baseline_has_no_coverage_and_no_speed():
    rows = sample([0, 1], answers("always_pass", label=[1, 1], is_baseline=True), truth=[0, 1])
    parts = {one.part for one in all_measures() if one.statistic(rows) is not None}
    assert parts == {"truth"}


def test_speed_is_by_second_by_gpu_and_over_the_judge():
    judge = answers("judge", score=[1, 2], grading=grading("judge", 0.5))
    rows = sample([0, 1], answers(score=[1, 2], grading=grading(gpus=2)), judge)
    names = ("verdicts_per_s", "verdicts_per_gpu_second", "over_judge")
    found = [named("speed", name).statistic(rows) for name in names]
    assert [one.point for one in found] == [4.0, 2.0, 8.0]
    assert [one.n for one in found] == [3, 3, 3]
    assert found[0].interval(0.95).method == "no interval: measured once"


def test_a_pass_that_was_answered_from_the_ledger_has_no_speed():
    rows = sample([0, 1], answers(score=[1, 2], grading=grading(verdicts_per_s=None)))
    found = named("speed", "verdicts_per_s").statistic(rows)
    assert np.isnan(found.point)
    assert found.interval(0.95).method == "no interval: no speed is known: answers came from the ledger"


@pytest.mark.parametrize("name", ["verdicts_per_s", "verdicts_per_gpu_second", "over_judge"])
def test_a_file_of_verdicts_has_no_speed(name):
    judge = answers("judge", score=[1, 2], grading=grading("judge"))
    assert named("speed", name).statistic(sample([0, 1], answers(score=[1, 2]), judge)) is None
