"""What a figure's file keeps, and how its cells become tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from figures import page
from figures.figure import Figure, Ratio, compare, write
from figures.load import Load


def _cell(shape: str, median: float) -> Figure:
    return Figure("rollouts", shape, {"stock": 1.0}, Ratio(median, median, median), 1.0, met=True)


def _written(path: Path) -> dict[str, tuple[float, str]]:
    return {
        each["shape"]: (each["ratio"]["median"], each["command"]) for each in json.loads(path.read_text())
    }


def test_a_run_that_keeps_replaces_its_own_cells_only(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.json"
    write(path, [_cell("0.8M", 1.1), _cell("25M", 2.0)], "first")
    write(path, [_cell("25M", 3.0), _cell("135M", 4.0)], "second", keep=True)
    assert _written(path) == {"0.8M": (1.1, "first"), "25M": (3.0, "second"), "135M": (4.0, "second")}
    write(path, [_cell("25M", 5.0)], "third")
    assert _written(path) == {"25M": (5.0, "third")}


def test_cells_of_each_command_have_a_table_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results" / "rollouts.json"
    write(path, [_cell("0.8M", 1.1)], "npm run bench -- --first")
    write(path, [_cell("135M", 4.0)], "npm run bench -- --second", keep=True)
    monkeypatch.setattr(page, "BENCH", tmp_path)
    text = page.page()
    assert text.count("| shape | sides |") == 2
    first, second = text.index("--first"), text.index("--second")
    assert first < text.index("| 0.8M |") < second < text.index("| 135M |")


def test_one_repeat_below_the_lowest_misses_a_target_that_the_median_meets() -> None:
    speeds = {"stock": [1.0, 1.0, 1.0], "gavel": [0.9, 1.2, 1.3]}
    met = [
        compare("r", "s", speeds, ours="gavel", target=1.0, lowest=lowest).met for lowest in (0.0, 0.9, 0.95)
    ]
    assert met == [True, True, False]


def test_the_steady_rate_leaves_out_the_first_and_the_last_calls() -> None:
    # Ten a second while two are in flight, with a slow start and a slow end.
    load = Load([], [5.0, 5.1, 5.2, 5.3, 5.4, 9.0, 14.0], 14.0)
    assert load.steady_per_s(2) == pytest.approx(10.0)
    with pytest.raises(ValueError, match="more than 8 calls"):
        load.steady_per_s(4)
