"""What guessing gets, as audit.json says it."""

import pytest
from external_audit import audit_files


@pytest.mark.parametrize(("occur", "chance"), [(["A", "B"], 1 / 2), (["A", "B", "tie"], 1 / 3)])
def test_chance_of_balanced_accuracy_is_by_the_labels_that_occur_in_the_truth(tmp_path, occur, chance):
    rows = [
        {
            "id": f"r{n}",
            "prompt": f"q{n}",
            "completion_a": "x",
            "completion_b": "y",
            "preference": occur[n % len(occur)],
        }
        for n in range(60)
    ]
    grader = [{"row_id": f"r{n}", "label": ["A", "B", "tie"][n % 3]} for n in range(60)]
    audit = audit_files(tmp_path, rows, {"grader": grader})
    (measure,) = [one for one in audit["measures"] if one["name"] == "balanced_accuracy"]
    assert measure["chance"] == pytest.approx(chance)
