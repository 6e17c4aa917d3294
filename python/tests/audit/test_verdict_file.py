import json
from pathlib import Path

import numpy as np
import pytest

from gavel_train.audit.rows import AuditedRows
from gavel_train.audit.verdict_file import read_verdict_file
from gavel_train.contracts import AuditRow
from gavel_train.run.outcome import BadRequest

CASES = json.loads((Path(__file__).resolve().parents[3] / "test/fixtures/verdict-numbers.json").read_text())


def audited(pairs: bool = False, left_out: tuple[str, ...] = ()) -> AuditedRows:
    rows = [
        AuditRow(
            id=name,
            prompt_id="p",
            prompt="p",
            completion="c",
            completion_b="d" if pairs else None,
            source="s",
        )
        for name in ("a", "b", "c")
    ]
    return AuditedRows(rows, frozenset(left_out))


def read(folder: Path, *lines, rows: AuditedRows | None = None, threshold: int = 5):
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "v.jsonl").write_text("\n".join(texts) + "\n")
    return read_verdict_file(folder / "v.jsonl", rows or audited(), threshold, field="grader")


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_numbers_of_a_file_are_those_that_the_gateway_would_give(tmp_path, case):
    given = {"score": case["sampled"], "distribution": case["distribution"]}
    sheet = read(tmp_path, {"row_id": "a"} | given, threshold=case["threshold"])
    assert sheet.score_N[0] == case["score"]
    assert sheet.value_N[0] == pytest.approx(case["value"], abs=1e-12)
    assert sheet.p_pass_N[0] == pytest.approx(case["p_pass"], abs=1e-12)
    assert (sheet.label_N[0] == 1) == case["passes"]
    assert sheet.is_expectation_N[0] == (case["distribution"] is not None)


def test_rows_without_a_line_are_missing_and_a_line_without_a_verdict_is_a_verdict_without_a_score(tmp_path):
    sheet = read(tmp_path, {"row_id": "b"}, {"row_id": "c", "score": 7})
    assert sheet.kind_N.tolist() == ["missing", "unparseable", "scored"]
    assert np.isnan(sheet.score_N).tolist() == [True, True, False]
    assert sheet.label_N.tolist() == [-1, -1, 1]


def test_a_label_alone_says_pass_or_fail_and_gives_no_score(tmp_path):
    sheet = read(tmp_path, {"row_id": "a", "label": "pass"}, {"row_id": "b", "label": "fail"})
    assert sheet.kind_N.tolist() == ["scored", "scored", "missing"]
    assert np.isnan(sheet.score_N).all() and np.isnan(sheet.value_N).all()
    assert sheet.p_pass_N[:2].tolist() == [1, 0]
    assert sheet.label_N.tolist() == [1, 0, -1]


def test_labels_of_pairs_are_kept_and_have_no_numbers(tmp_path):
    lines = [{"row_id": name, "label": label} for name, label in zip("abc", ("A", "tie", "B"), strict=True)]
    sheet = read(tmp_path, *lines, rows=audited(pairs=True))
    assert sheet.label_N.tolist() == [0, 2, 1]
    assert np.isnan(sheet.p_pass_N).all()


def test_rounded_probabilities_are_scaled_to_1(tmp_path):
    sheet = read(tmp_path, {"row_id": "a", "distribution": [0.3333, 0.3333, 0.3333, 0, 0, 0, 0, 0, 0, 0]})
    assert sheet.value_N[0] == pytest.approx(1)


def test_lines_about_rows_that_this_audit_leaves_out_are_skipped(tmp_path):
    sheet = read(
        tmp_path, {"row_id": "z", "score": 1}, {"row_id": "a", "score": 2}, rows=audited(left_out=("z",))
    )
    assert sheet.kind_N.tolist() == ["scored", "missing", "missing"]


TEN = [0.1] * 10


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"row_id": "z", "score": 1}, "row_id: expected the id of a row, found 'z', which no row has"),
        ({"row_id": "b", "score": 1}, r"row_id: expected each row once, found 'b' again, as in .*v\.jsonl:1"),
        ({"score": 1}, "row_id: expected a value, found none"),
        ({"row_id": "a", "score": 10}, "score: expected less than or equal to 9, found 10"),
        ({"row_id": "a", "score": -1}, "score: expected greater than or equal to 0, found -1"),
        ({"row_id": "a", "score": 7.5}, "score: expected .*found 7.5"),
        ({"row_id": "a", "score": True}, "score: expected .*found true"),
        ({"row_id": "a", "score": "7"}, 'score: expected .*found "7"'),
        ({"row_id": "a", "label": "A"}, "label: expected pass or fail for a completion, found A"),
        ({"row_id": "a", "label": "good"}, 'label: expected .*found "good"'),
        (
            {"row_id": "a", "distribution": [0.2] * 10},
            "distribution: expected .* add up to 1, found a sum of 2",
        ),
        ({"row_id": "a", "distribution": [0.2] * 5}, "distribution: expected .*at least 10"),
        ({"row_id": "a", "distribution": [*TEN, 0]}, "distribution: expected .*at most 10"),
        (
            {"row_id": "a", "distribution": [1.5, -0.5, *[0] * 8]},
            "distribution: expected probabilities from 0 to 1, found 1.5",
        ),
        (
            {"row_id": "a", "score": 3, "distribution": [0, 0, 0, 0.4, 0.6, 0, 0, 0, 0, 0]},
            "score: expected 4, the most probable digit of the distribution, found 3",
        ),
        ({"row_id": "a", "score": 4, "label": "pass"}, "label: expected fail, .* threshold 5, found pass"),
        ({"row_id": "a", "scores": 4}, r".*found 'scores'\. Did you mean 'score'\?"),
        ("{", "expected a JSON object, found no JSON"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_what_was_expected_and_found(tmp_path, line, said):
    with pytest.raises(BadRequest, match=r"v\.jsonl:2: " + said) as raised:
        read(tmp_path, {"row_id": "b", "score": 1}, line)
    assert raised.value.field == "grader"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"row_id": "a", "label": "pass"}, "label: expected A, B or tie for a pair, found pass"),
        ({"row_id": "a", "score": 4}, "score: expected a label .* for a pair, found a score"),
        ({"row_id": "a", "distribution": TEN}, "distribution: expected a label .* for a pair"),
    ],
)
def test_a_verdict_on_one_completion_is_refused_for_a_pair(tmp_path, line, said):
    with pytest.raises(BadRequest, match=r"v\.jsonl:1: " + said):
        read(tmp_path, line, rows=audited(pairs=True))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [{"row_id": "a", "score": 7}, {"row_id": "b"}, {"row_id": "c", "label": "pass"}],
            r"v\.jsonl:3: expected a score or distribution as in .*v\.jsonl:1, found a label alone: .*Give",
        ),
        (
            [{"row_id": "a", "label": "pass"}, {"row_id": "b", "distribution": TEN}],
            r"v\.jsonl:2: expected a label alone as in .*v\.jsonl:1, found a score or distribution: .*Give",
        ),
    ],
)
def test_a_file_of_scores_and_bare_labels_is_refused_since_it_would_choose_its_rows(tmp_path, lines, said):
    with pytest.raises(BadRequest, match=said) as raised:
        read(tmp_path, *lines)
    assert raised.value.field == "grader"


def test_a_score_may_have_its_label_beside_it(tmp_path):
    sheet = read(
        tmp_path,
        {"row_id": "a", "score": 7, "label": "pass"},
        {"row_id": "b", "distribution": [1, *[0] * 9]},
        {"row_id": "c", "score": 2},
    )
    assert sheet.label_N.tolist() == [1, 0, 0]


def test_a_whole_number_with_a_point_is_a_score(tmp_path):
    assert read(tmp_path, {"row_id": "a", "score": 7.0}).score_N[0] == 7
