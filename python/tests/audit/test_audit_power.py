"""A small form of `npm run audit-power`: planted graders go through measures, intervals and gates."""

from dataclasses import replace

import numpy as np
import pytest
from audit_power import simulate
from audit_power.cases import BOUNDS, DEFAULT_GATES, WHOLE
from audit_power.cells import Cell, bound_cells, whole_cells
from audit_power.simulate import replicated

from gavel_train.audit.sample import Sample

# Many rows of few prompts: intervals that took rows for independent would be far too narrow.
SIZE = (40, 1200)
REPLICATES = 150

# 95% less three standard errors of 150 replicates, 2.5% and three of them.
LEAST_COVERED, MOST_PASSED = 0.897, 0.063

BELOW = {cell.name.removesuffix(", below"): cell for cell in bound_cells([SIZE], ["below"])}


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.name)
def test_intervals_hold_the_true_value_and_a_grader_below_a_gate_does_not_pass(bound):
    tally = replicated(BELOW[bound.name], 0, REPLICATES)

    assert tally.intervals[bound.measure].seen >= 0.95 * REPLICATES
    assert tally.intervals[bound.measure].coverage >= LEAST_COVERED
    assert tally.share("PASS") <= MOST_PASSED


@pytest.mark.parametrize("bound", BOUNDS[:2], ids=lambda bound: bound.name)
def test_the_simulation_sees_intervals_that_take_rows_for_independent(bound, monkeypatch):
    def with_rows_as_prompts(sample: Sample, measures):
        rows = replace(sample.rows, prompt_N=np.arange(len(sample.rows)))
        return records(replace(sample, rows=rows), measures)

    records = simulate.records
    monkeypatch.setattr(simulate, "records", with_rows_as_prompts)

    tally = replicated(BELOW[bound.name], 0, REPLICATES)

    assert tally.intervals[bound.measure].coverage < 0.8


@pytest.mark.parametrize("cell", whole_cells([(80, 200)]), ids=lambda cell: cell.name)
def test_random_constant_and_off_scale_graders_never_pass_and_perfect_ones_never_fail(cell: Cell):
    never = next(whole.never for whole in WHOLE if whole.name == cell.name)

    tally = replicated(cell, 0, 50)

    assert tally.verdicts[never] == 0
    assert set(tally.by_gate) == {gate.id for gate in DEFAULT_GATES}


def test_a_grader_that_copies_the_judge_passes_from_200_prompts():
    cell = next(cell for cell in whole_cells([(200, 500)]) if cell.name == "the judge's score for every row")

    assert replicated(cell, 0, 20).share("PASS") == 1


def test_a_replicate_is_the_same_whichever_process_does_it():
    cell = BELOW[BOUNDS[0].name]
    together = replicated(cell, 0, 6)
    apart = replicated(cell, 3, 3)
    apart.add(replicated(cell, 0, 3))

    assert apart.verdicts == together.verdicts
    assert apart.intervals[BOUNDS[0].measure].width == pytest.approx(
        together.intervals[BOUNDS[0].measure].width
    )
