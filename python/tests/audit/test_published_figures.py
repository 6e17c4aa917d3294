"""PandaLM's people and two models as files of verdicts: the audit shows the published figures."""

import json
import warnings
from collections import Counter
from pathlib import Path

import pytest
from external_audit import audit_files, record

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "pandalm"
present = (SHARED / "testset-v1.json").is_file()
if not present:
    warnings.warn(f"SKIPPED: no PandaLM at {SHARED}; the published figures are not tested.", stacklevel=1)
pytestmark = pytest.mark.skipif(not present, reason=f"no PandaLM at {SHARED}")

LABEL = {"0": "tie", "1": "A", "2": "B", "Tie": "tie"}


def read(name: str) -> list[dict]:
    return json.loads((SHARED / name).read_text())


def rows() -> list[dict]:
    found = []
    for row in read("testset-v1.json"):
        # No row has three different labels.
        ((majority, votes),) = Counter(row[f"annotator{n}"] for n in (1, 2, 3)).most_common(1)
        assert votes >= 2
        found.append(
            {
                "id": str(row["idx"]),
                "prompt": f"{row['instruction']}\n\n{row['input']}",
                # Six rows have `true` in place of a response.
                "completion_a": str(row["response1"]),
                "completion_b": str(row["response2"]),
                "preference": LABEL[str(majority)],
            }
        )
    return found


def verdicts(predictions: list[dict], field: str) -> list[dict]:
    """A verdict for each row; what is no label is a verdict without one."""
    return [{"row_id": str(one["idx"]), "label": LABEL.get(str(one[field]))} for one in predictions]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    given = {
        "grader": verdicts(read("pandalm-7b-testset-v1.json"), "pandalm_result"),
        "gpt": verdicts(read("gpt-3.5-turbo-testset-v1.json"), "gpt_result"),
    }
    return audit_files(tmp_path_factory.mktemp("models"), rows(), given)


@pytest.mark.parametrize(
    ("role", "agreement", "kappa"),
    [("gpt", 0.698, 0.476), ("grader", 0.668, 0.435)],
    ids=["gpt-3.5", "PandaLM-7B"],
)
def test_two_models_agree_with_the_majority_of_people_as_published(models, role, agreement, kappa):
    # Published over all 999 rows: a reply without a label counts as disagreement.
    of_all = {
        name: record(models, f"truth.{role}.file.{name}_of_all_rows") for name in ("accuracy", "cohens_kappa")
    }
    assert {figure["n"] for figure in of_all.values()} == {999}
    assert {figure["prompts"] for figure in of_all.values()} == {170}
    assert round(of_all["accuracy"]["point"], 3) == agreement
    assert round(of_all["cohens_kappa"]["point"], 3) == kappa


def test_replies_without_a_label_are_counted_and_left_out_of_the_measures_of_labels(models):
    assert record(models, "coverage.gpt.file.unparseable")["point"] == pytest.approx(25 / 999)
    assert record(models, "truth.gpt.file.accuracy")["n"] == 974
    for name in ("accuracy", "cohens_kappa"):
        whole = record(models, f"truth.grader.file.{name}_of_all_rows")
        assert record(models, f"truth.grader.file.{name}")["point"] == pytest.approx(
            whole["point"], abs=1e-12
        )


def test_people_agree_among_themselves_as_published(tmp_path):
    people = {n: verdicts(read("testset-v1.json"), f"annotator{n}") for n in (1, 2, 3)}
    kappas = {}
    for judge, graders in ((1, (2, 3)), (2, (3,))):
        given = {"judge": people[judge], "grader": people[graders[0]], "third": people[graders[-1]]}
        audit = audit_files(tmp_path, rows(), given)
        for role, person in zip(("grader", "third"), (graders[0], graders[-1]), strict=True):
            kappas[judge, person] = record(audit, f"fidelity.{role}.file.label_cohens_kappa")["point"]
    rounded = {pair: round(kappa, 3) for pair, kappa in kappas.items()}
    assert rounded == {(1, 2): 0.852, (1, 3): 0.879, (2, 3): 0.862}
