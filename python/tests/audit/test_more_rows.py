import math

import numpy as np
import pytest
from scipy import stats

from gavel_train.audit.gates import decide
from gavel_train.audit.intervals import KAPPA
from gavel_train.audit.more_rows import More, more_rows
from gavel_train.audit.records import record_of
from gavel_train.audit.scope import Scope
from gavel_train.audit.statistic import LeftOut, Share
from gavel_train.contracts import GateSpec, MeasureRecord

ID = "truth.grader.single_token.accuracy"


def scope(rows=100, prompts=40, look=1) -> Scope:
    return Scope(headline_mode="single_token", rows=rows, prompts=prompts, look=look)


def record(
    point, low, high, *, n=100, prompts=40, method="jackknife over prompts, t, logit"
) -> MeasureRecord:
    return MeasureRecord(
        id=ID, slice="all", point=point, low=low, high=high, n=n, prompts=prompts, method=method
    )


def gate(at_least=None, at_most=None) -> GateSpec:
    return GateSpec(id=ID, at_least=at_least, at_most=at_most)


def needed(found, spec, **audit) -> More:
    more = more_rows(found, spec, scope(**audit))
    assert more is not None
    return more


def test_rows_grow_with_the_square_of_what_power_and_the_next_look_take():
    t, wider = (float(stats.t.ppf(level, 39)) for level in (0.975, 1 - 0.05 / 4 / 2))
    # Twice as wide as it may be.
    growth = 4 * ((wider + stats.norm.ppf(0.8)) / t) ** 2
    expected = More(math.ceil(100 * growth) - 100, math.ceil(40 * growth) - 40)
    assert needed(record(0.7, 0.5, 0.9), gate(0.6)) == expected
    assert needed(record(0.5, 0.3, 0.7), gate(0.6)) == expected
    assert needed(record(0.5, 0.3, 0.7), gate(at_most=0.6)) == expected


def test_rows_are_those_of_the_audit_where_the_measure_is_about_a_few_of_them():
    few = needed(record(0.7, 0.5, 0.9, n=20), gate(0.6), rows=1_000, prompts=100)
    all_of_them = needed(record(0.7, 0.5, 0.9, n=1_000), gate(0.6), rows=1_000, prompts=100)
    assert few == all_of_them
    assert few.rows == pytest.approx(10 * few.prompts, rel=0.01)
    # The interval would do, and of 100 audited prompts 20 have rows that count.
    assert needed(record(0.9, 0.85, 1, n=40, prompts=20), gate(0.1), rows=500, prompts=100) == More(250, 50)


def test_without_an_interval_and_at_the_bound_itself_no_number_is_given():
    assert more_rows(record(0.6, 0.5, 0.7), gate(0.6), scope()) is None
    assert more_rows(record(0.7, None, None), gate(0.6), scope()) is None
    assert more_rows(record(None, None, None), gate(0.6), scope()) is None


def of_share(hits: int, rows: int, look: int = 1) -> MeasureRecord:
    """The record of so many hits, one row a prompt."""
    share = Share.of_rows(np.arange(rows), np.arange(rows) < hits)
    return record_of(ID, "all", share, scope(look=look).confidence)


def test_a_gate_with_so_many_more_rows_is_settled_in_about_80_of_100_audits():
    spec = gate(0.75)
    before = of_share(160, 200)
    assert decide(before, spec, scope(200, 200)).verdict == "INCONCLUSIVE"
    rows = 200 + needed(before, spec, rows=200, prompts=200).rows
    hits = np.arange(rows + 1)
    chances = stats.binom.pmf(hits, rows, 0.8)
    passes = [
        chance > 1e-6 and decide(of_share(hit, rows, 2), spec, scope()).verdict == "PASS"
        for hit, chance in zip(hits, chances, strict=True)
    ]
    assert 0.76 < chances[passes].sum() < 0.88


@pytest.mark.parametrize("kind", ["share", "kappa"])
def test_where_no_prompt_changes_the_value_the_width_falls_with_the_prompts_and_not_with_their_root(kind):
    def of(prompts: int, look: int) -> MeasureRecord:
        if kind == "share":
            return of_share(prompts, prompts, look)
        perfect = LeftOut(1.0, np.ones(prompts), prompts, KAPPA, trials=prompts)
        return record_of(ID, "all", perfect, scope(look=look).confidence)

    spec, before = gate(0.97), of(50, 1)
    assert decide(before, spec, scope(50, 50)).verdict == "INCONCLUSIVE"
    prompts = 50 + needed(before, spec, rows=50, prompts=50).prompts
    assert decide(of(round(1.05 * prompts), 2), spec, scope()).verdict == "PASS"
    assert decide(of(round(0.95 * prompts), 2), spec, scope()).verdict == "INCONCLUSIVE"
