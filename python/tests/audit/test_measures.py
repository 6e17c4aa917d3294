"""What holds for every measure, whatever it is."""

import re
from pathlib import Path

import numpy as np
import pytest
from graded_rows import answers, random_sample, sample

from gavel_train.audit.measure import all_measures, parts, policy_measures
from gavel_train.audit.records import findings_of, measured, policy_records, records_of
from gavel_train.audit.sample import PAIRWISE, PolicySample

DOCS = Path(__file__).parents[3] / "docs/audit.md"
ROWS = 60
PROMPTS = np.arange(ROWS) // 3


def names():
    found = [(one.part, one.name) for one in all_measures()]
    return found + [(one.info.part, one.info.name) for one in policy_measures()]


def test_no_two_measures_have_the_same_name():
    assert len(names()) == len(set(names()))


def test_every_part_has_measures_and_every_measure_a_part():
    assert {part for part, _ in names()} == {part.part for part in parts()}


def test_every_module_of_a_part_lists_measures():
    folder = Path(__file__).parents[2] / "gavel_train/audit/measures"
    for module in folder.glob("*/*.py"):
        text = module.read_text()
        assert module.name == "__init__.py" or re.search(r"^(POLICY_)?MEASURES = ", text, re.M), module


def test_every_measure_has_a_line_in_the_documentation():
    lines = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", DOCS.read_text(), re.M)
    assert sorted(lines) == sorted(names())


def test_meanings_are_single_sentences():
    for one in [*all_measures(), *(policy.info for policy in policy_measures())]:
        assert re.fullmatch(r"[A-Z][^.]*(\.\d[^.]*)*\.", one.meaning), one.meaning


def none():
    return answers(score=np.full(ROWS, np.nan))


def judge_of(score):
    return answers("judge", score=np.full(ROWS, score))


SCORES = np.arange(ROWS) % 10
TRUTH = np.arange(ROWS) % 2
HOSTILE = {
    "no verdicts": sample(PROMPTS, none(), judge_of(np.nan), TRUTH),
    "no verdicts of the grader": sample(PROMPTS, none(), judge_of(7), TRUTH),
    "no rows": random_sample(0).take(np.zeros(300, dtype=bool)),
    "one row": random_sample(0).take(np.arange(300) == 7),
    "one prompt": sample(np.zeros(ROWS, int), answers(score=SCORES), judge_of(5), TRUTH),
    "one class": sample(PROMPTS, answers(score=SCORES), answers("judge", score=SCORES[::-1]), np.ones(ROWS)),
    "constants": sample(PROMPTS, answers(score=np.full(ROWS, 5)), judge_of(5), TRUTH),
    "different constants": sample(PROMPTS, answers(score=np.full(ROWS, 1)), judge_of(9), TRUTH),
    "a copy": sample(PROMPTS, answers(score=SCORES), answers("judge", score=SCORES), TRUTH),
    "the opposite": sample(PROMPTS, answers(score=9 - SCORES), answers("judge", score=SCORES), SCORES > 4),
    "one prompt with almost all rows": sample(
        np.maximum(0, np.arange(ROWS) - 40),
        answers(score=SCORES),
        answers("judge", score=SCORES[::-1]),
        TRUTH,
    ),
    "pairs with one preference": sample(
        PROMPTS, answers(label=np.full(ROWS, 2)), answers("judge", label=TRUTH), np.zeros(ROWS), PAIRWISE
    ),
    "a label in one prompt": sample(PROMPTS, answers(score=SCORES), judge_of(9), PROMPTS == 3),
    "few rows with a verdict": sample(
        PROMPTS, answers(score=np.where(SCORES < 1, 3, np.nan)), answers("judge", score=SCORES), TRUTH
    ),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_sample_gives_a_number_that_is_none(hostile):
    rows = HOSTILE[hostile]
    asked = [rows.answers] + ([rows.judge] if rows.judge else [])
    records = records_of(rows.rows, asked, confidence=0.95)
    for record in records:
        numbers = [record.point, record.low, record.high]
        assert all(number is None or np.isfinite(number) for number in numbers), record
        assert (record.low is None) == (record.high is None), record
        if record.low is not None:
            assert record.low <= record.point + 1e-12, record
            assert record.point <= record.high + 1e-12, record
            # Only what holds for any rows may have no width.
            assert record.low < record.high, record
        assert record.method, record
        assert (record.low is None) == record.method.startswith("no interval"), record
    assert records or hostile == "no rows"
    findings_of(records)
    measured(records, len(rows.rows.labels))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("is_last", [np.zeros(30, bool), np.ones(30, bool), np.arange(30) % 2 == 0])
@pytest.mark.parametrize("right", [np.zeros(30, bool), np.ones(30, bool)])
def test_no_policy_gives_a_number_that_is_none(is_last, right):
    for record in policy_records(PolicySample(np.arange(30) // 2, right, is_last), 0.95):
        assert None not in (record.point, record.low, record.high), record
        assert record.low < record.high, record
