"""What the figure `overlap` makes of measured steps."""

import pytest
from figures.overlap import AHEAD, AT_LEAST, STOCK, Times, figures_of

REPEAT = {
    STOCK: Times(step=6.0, generation=1.0, schedule=2.0, update=3.0),
    "gavel cached": Times(step=4.2, generation=1.0, schedule=1.5, update=2.5),
    "gavel served": Times(step=5.0, generation=1.0, schedule=1.5, update=2.5),
    # Its own phases are longer, since they hinder each other; they must not excuse it.
    AHEAD: Times(step=2.6, generation=2.0, schedule=2.6, update=2.6),
}


def cell(shape: str):
    return next(figure for figure in figures_of(1.0, [REPEAT]) if figure.shape == shape)


def test_without_staleness_a_step_is_held_against_its_list_schedule_and_its_update():
    cached = cell("gavel cached, judge 1 x generation")
    assert cached.sides[AT_LEAST] == 4
    assert cached.ratio.median == pytest.approx(4 / 4.2, abs=1e-3)
    assert cached.met
    assert not cell("gavel served, judge 1 x generation").met


def test_ahead_a_step_is_held_against_the_longer_phase_of_a_step_that_has_the_cores_alone():
    ahead = cell(f"{AHEAD}, judge 1 x generation")
    assert ahead.sides[AT_LEAST] == 2.5
    assert ahead.ratio.median == pytest.approx(2.5 / 2.6, abs=1e-3)
    assert ahead.met


def test_a_step_beside_stock_has_no_target():
    beside = cell(f"{AHEAD}, judge 1 x generation, beside stock")
    assert beside.ratio.median == pytest.approx(6 / 2.6, abs=1e-3)
    assert beside.target is None and beside.met is None
