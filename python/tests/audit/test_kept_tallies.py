"""Tallies of a simulation survive a stop, and are those of one code alone."""

from pathlib import Path

import pytest
from audit_power import kept
from audit_power.cells import bound_cells
from audit_power.kept import Kept
from audit_power.simulate import replicated, simulate
from audit_power.tally import Tally

CELL = bound_cells([(40, 100)], ["below"])[0]


def test_a_tally_comes_back_as_it_was(tmp_path: Path):
    tally = replicated(CELL, 0, 3)
    Kept(tmp_path).add("one", tally)

    assert Kept(tmp_path).read() == {"one": tally}


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path: Path):
    Kept(tmp_path).add("one", Tally(replicates=1))
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text() + '{"chunk": "two", "ta')

    again = Kept(tmp_path)
    assert list(again.read()) == ["one"]
    again.add("two", Tally(replicates=2))
    assert list(Kept(tmp_path).read()) == ["one", "two"]


def test_other_code_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Kept(tmp_path).add("one", Tally(replicates=1))
    monkeypatch.setattr(kept, "_CODE", ("bench/audit_scale",))

    assert Kept(tmp_path).read() == {}


def test_a_simulation_that_goes_on_does_no_chunk_again(tmp_path: Path):
    (first,) = simulate([CELL], 120, jobs=1, kept=Kept(tmp_path))
    (again,) = simulate([CELL], 120, jobs=1, kept=Kept(tmp_path))

    assert again == first
    assert first.replicates == 120 and first.seconds > 0
