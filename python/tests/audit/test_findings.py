"""What follows from records is said in words that fit the interval, not the point."""

import pytest

from gavel_train.audit.records import findings_of
from gavel_train.contracts import MeasureRecord


def _text(record_id, point, low, high, n=660, labels=2):
    """The finding of one record; None where its measure says nothing of it."""
    record = MeasureRecord(
        id=record_id, slice="all", point=point, low=low, high=high, n=n, prompts=min(n, 110), method="given"
    )
    found = findings_of([record], labels)
    return found[0].text if found else None


@pytest.mark.parametrize(
    ("point", "low", "high", "said"),
    [
        (0.83, 0.76, 0.87, "agrees with the judge's scores: its kappa is 0.83 (0.76 to 0.87)"),
        (0.1, -0.1, 0.3, "cannot be told from chance"),
        (-0.4, -0.5, -0.3, "contradicts the judge's scores"),
    ],
)
def test_agreement_is_claimed_only_where_the_whole_interval_is_above_chance(point, low, high, said):
    text = _text("fidelity.grader.single_token.quadratic_weighted_kappa", point, low, high)
    assert text is not None
    assert text.startswith("The grader (single token) ")
    assert said in text


@pytest.mark.parametrize(
    ("point", "low", "high", "said"),
    [
        (0.265, 0.19, 0.34, "The policy learned: 26.5 points more of its answers are right (19.0 to 34.0)."),
        (
            -0.1,
            -0.2,
            -0.05,
            "The policy got worse: 10.0 points fewer of its answers are right (5.0 to 20.0).",
        ),
        (0.02, -0.05, 0.09, "cannot be told: the change of 2.0 points (-5.0 to 9.0) may be chance."),
    ],
)
def test_the_policy_learned_only_where_the_whole_interval_is_above_zero(point, low, high, said):
    text = _text("policy.policy.held_out.gain", point, low, high)
    assert text is not None
    assert text.endswith(said)


def test_what_is_said_of_a_further_task_names_it():
    text = _text("policy.policy.on_svamp.gain", 0.265, 0.19, 0.34)
    assert text is not None and text.startswith("The policy learned on svamp: 26.5 points more")


def test_a_contestant_without_a_score_is_said_to_have_none_and_one_with_all_needs_no_sentence():
    none = "The untrained base (single token) gave neither score nor label for any of the 660 rows."
    assert _text("coverage.base.single_token.scored", 0.0, 0.0, 0.03) == none
    some = "The grader (reasoned) gave a score or a label for 99.2% of the 660 rows."
    assert _text("coverage.grader.reasoned.scored", 0.992, 0.98, 1.0) == some
    assert _text("coverage.grader.reasoned.scored", 1.0, 0.97, 1.0) is None


@pytest.mark.parametrize(
    ("bounds", "labels", "said"),
    [
        (
            (0.893, 0.864, 0.917),
            2,
            "tracks the truth better than chance: its balanced accuracy is 89.3% (86.4% to 91.7%), where "
            "chance has 50.0%.",
        ),
        (
            (0.289, 0.25, 0.33),
            2,
            "tracks the truth worse than chance: its balanced accuracy is 28.9% (25.0% to 33.0%), where "
            "chance has 50.0%.",
        ),
        (
            (0.36, 0.31, 0.41),
            3,
            "cannot be told from chance by the truth: its balanced accuracy is 36.0% (31.0% to 41.0%), where "
            "chance has 33.3%.",
        ),
    ],
)
def test_tracking_the_truth_is_claimed_only_where_the_whole_interval_is_above_chance(bounds, labels, said):
    text = _text("truth.grader.reasoned.balanced_accuracy", *bounds, labels=labels)
    assert text == f"The grader (reasoned) {said}"


@pytest.mark.parametrize(
    ("record_id", "bounds"),
    [
        ("fidelity.grader.file.quadratic_weighted_kappa", (0.8, 0.7, 0.9)),
        ("truth.grader.file.balanced_accuracy", (0.8, 0.7, 0.9)),
        ("teacher_wrong.grader.file.balanced_accuracy_difference", (0.2, 0.1, 0.3)),
        ("teacher_wrong.grader.file.error_correlation", (0.5, 0.3, 0.7)),
        ("policy.policy.held_out.gain", (0.2, 0.1, 0.3)),
    ],
)
def test_with_fewer_prompts_than_a_gate_needs_no_finding_decides(record_id, bounds):
    few = "29 prompts are too few to tell, since a gate needs 30."
    text, enough = _text(record_id, *bounds, n=29), _text(record_id, *bounds, n=30)
    assert text is not None and enough is not None
    assert text.endswith(few)
    for word in ("agrees", "better than", "tends to", "learned:"):
        assert word not in text
    assert "too few" not in enough


def test_truth_and_labels_and_speed_are_said_with_their_figures():
    assert _text("truth.always_pass.constant.balanced_accuracy", 0.5, 0.5, 0.5) is None
    label = "The grader gives the judge's label on 69.8% (66.7% to 72.7%) of the 999 rows."
    assert _text("fidelity.grader.file.label_agreement", 0.698, 0.667, 0.727, 999) == label
    speed = "The grader (single token) gives 5.6 times as many verdicts per second as the judge."
    assert _text("speed.grader.single_token.over_judge", 5.56, None, None) == speed


def test_a_record_that_could_not_be_computed_says_nothing():
    for record_id in (
        "fidelity.base.single_token.quadratic_weighted_kappa",
        "truth.base.single_token.balanced_accuracy",
        "speed.grader.reasoned.over_judge",
    ):
        assert _text(record_id, None, None, None, n=0) is None
