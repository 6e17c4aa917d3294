import numpy as np

from gavel_train.audit.answer_sheet import AnswerSheet
from gavel_train.audit.rows import AuditedRows
from gavel_train.audit.slices import Slice, slices_of
from gavel_train.contracts import AuditRow, SliceField


def rows_of(count: int, **fields) -> AuditedRows:
    """Rows of two completions a prompt; each field is a function of the row's number."""

    def row(n: int) -> AuditRow:
        own = {name: str(value(n)) for name, value in fields.items() if value(n) is not None}
        return AuditRow(
            id=str(n),
            prompt_id=f"p{n // 2}",
            prompt="x" * (n // 2),
            completion="",
            source=f"s{n % 2}",
            fields=own,
        )

    return AuditedRows([row(n) for n in range(count)])


def judged(scores: list[float]):
    sheet = AnswerSheet(len(scores))
    sheet.score_N[:] = scores
    return sheet.answers("judge", "reasoned")


def sliced(rows, judge, fields) -> tuple[list[SliceField], list[Slice]]:
    """What each field has for values, and all slices."""
    found = slices_of(rows, judge, fields)
    return [one.info for one in found], [part for one in found for part in one.slices]


def test_each_value_of_a_field_is_a_slice_of_its_rows_the_largest_first():
    found, slices = sliced(rows_of(100, kind=lambda n: "a" if n < 40 else "b"), None, ["kind"])
    assert [one.name for one in slices] == ["kind=b", "kind=a"]
    assert np.flatnonzero(slices[1].chosen_N).tolist() == list(range(40))
    (field,) = found
    assert [(v.value, v.rows, v.prompts) for v in field.values] == [("b", 60, 30), ("a", 40, 20)]
    assert field.left_out is None


def test_values_with_few_rows_or_beyond_the_twentieth_are_left_out_and_counted():
    kinds = rows_of(
        665, kind=lambda n: n // 30 if n < 650 else None, rare=lambda n: f"r{n // 19}" if n < 38 else "x"
    )
    (kind, rare), slices = sliced(kinds, None, ["kind", "rare"])
    assert len(kind.values) == 20
    assert kind.left_out == "2 values beyond the 20 with the most rows (50 rows in all); 15 rows without kind"
    assert [one.name for one in slices if one.name.startswith("rare")] == ["rare=x"]
    assert rare.left_out == "2 values with fewer than 20 rows (38 rows in all)"
    names = [(one.left_out, one.rows_without) for one in slices_of(kinds, None, ["kind", "rare"])]
    assert names == [(["9", "21"], 15), (["r0", "r1"], 0)]


def test_prompt_lengths_are_cut_in_quarters_in_order():
    (field,), slices = sliced(rows_of(160), None, ["prompt_length"])
    assert [v.value for v in field.values] == ["0-19", "20-39", "40-59", "60-79"]
    assert [v.rows for v in field.values] == [40] * 4
    assert np.flatnonzero(slices[1].chosen_N).tolist() == list(range(40, 80))


def test_the_judges_scores_are_slices_in_order_and_rows_without_one_are_said():
    scores = [9.0] * 30 + [0.0] * 40 + [np.nan] * 30
    (field,), slices = sliced(rows_of(100), judged(scores), ["score"])
    assert [one.name for one in slices] == ["score=0", "score=9"]
    assert field.left_out == "30 rows without score"


def test_fields_that_no_row_has_and_computed_ones_that_tell_no_rows_apart_are_left_out():
    found, slices = sliced(rows_of(60), None, ["kind", "score", "prompt_length", "checkpoint", "checkpoint"])
    assert [field.field for field in found] == ["prompt_length", "checkpoint"]
    assert [one.name for one in slices if "checkpoint" in one.name] == ["checkpoint=s0", "checkpoint=s1"]
    alike, _ = sliced(rows_of(60), judged([5.0] * 60), ["score"])
    assert alike == []
