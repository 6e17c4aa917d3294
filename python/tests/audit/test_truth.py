import pytest

from gavel_train.audit.rows import AuditedRows
from gavel_train.audit.truth import equal_answers, truth_of
from gavel_train.contracts import AuditRow


def rows(*given: dict) -> AuditedRows:
    shared = {"prompt_id": "p", "prompt": "p", "completion": "c", "source": "s"}
    return AuditedRows(
        [AuditRow.model_validate(shared | {"id": str(n)} | one) for n, one in enumerate(given)]
    )


@pytest.mark.parametrize(
    ("completion", "truth", "right"),
    [
        ("It was Berlin, 1900", "Paris, 1900", False),
        ("x = 3, y = 4", "x = 5, y = 4", False),
        ("B2", "A2", False),
        ("42 km", "42 miles", False),
        ("1/2", "2", False),
        ("so 3 + 4 = 7", "7", True),
        ("$1,000", "1000", True),
        (" paris. ", "Paris", True),
        ("It is not Paris", "Paris", None),
    ],
)
def test_a_truth_that_is_no_number_is_compared_whole(completion, truth, right):
    assert equal_answers(completion, truth) is right


def test_a_label_counts_as_it_is_and_a_ground_truth_where_there_is_none():
    given = rows(
        {"is_correct": False, "ground_truth": "c"},
        {"ground_truth": "c"},
        {"ground_truth": "d"},
        {},
        {"completion": "not c", "ground_truth": "c"},
    )
    assert truth_of(given, equal_answers).tolist() == [0, 1, 0, -1, -1]
    assert truth_of(given).tolist() == [0, -1, -1, -1, -1]


def test_the_truth_of_a_pair_is_its_preference():
    pair = {"completion_b": "d"}
    given = rows(*(pair | {"preference": label} for label in ("A", "B", "tie", None)))
    assert truth_of(given).tolist() == [0, 1, 2, -1]
