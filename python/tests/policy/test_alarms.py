"""The rules that tell that a training is going wrong."""

import pytest

from gavel_train.policy.alarms import SamplerDrift


def steps_of_alarms(limit, differences):
    drift = SamplerDrift(limit)
    figures = [{"sampling_logp_difference_mean": value} for value in differences]
    return [step for step, each in enumerate(figures, 1) if drift.message_of(each) is not None]


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.2, 0.2], []),
        ([0.2, 0.2, 0.05, 0.2, 0.2], []),
        ([0.2] * 9, [3]),
        ([0.2] * 4 + [0.1] + [0.2] * 4, [3, 8]),
        ([0.2, None, 0.2, None, 0.2], [5]),
    ],
    ids=["too few", "not in a row", "once", "again after they agreed", "steps that were not compared"],
)
def test_trainer_and_sampler_that_disagree_three_steps_in_a_row_are_an_alarm(differences, expected):
    assert steps_of_alarms(0.1, differences) == expected


def test_no_limit_is_no_alarm():
    assert steps_of_alarms(None, [9.0] * 5) == []
