"""Advantages of judge and verifier that are normalised apart, against values computed by hand."""

from collections import defaultdict, deque
from types import SimpleNamespace

import pytest
import torch

from gavel_train.contracts import GrpoSpec
from gavel_train.judging.reward import mixed_reward

# TRL's trainer is imported after that.
pytestmark = pytest.mark.usefixtures("imported_once")


def spec(**fields) -> GrpoSpec:
    given = {"normalise": "apart", "num_generations": 4, "verifier_weight": 0.75}
    return GrpoSpec.model_validate(given | fields)


def rollouts(marks, values, grpo: GrpoSpec) -> list[dict]:
    """What the log of a step holds: `values` are the judge's, 0 to 9."""
    return [
        {
            "verifier": mark,
            "value": value,
            "reward": mixed_reward(
                mark, value, verifier_weight=grpo.verifier_weight, when_unscored=grpo.when_unscored
            ),
        }
        for mark, value in zip(marks, values, strict=True)
    ]


def apart(marks, values, grpo: GrpoSpec) -> list[float]:
    from gavel_train.policy.apart import advantages_apart

    return advantages_apart(rollouts(marks, values, grpo), grpo).tolist()


def together(marks, values, grpo: GrpoSpec) -> list[float]:
    """TRL's advantages of the one reward."""
    rewards = [one["reward"] for one in rollouts(marks, values, grpo)]
    known = [reward for reward in rewards if reward is not None]
    mean = sum(known) / len(known)
    spread = (sum((reward - mean) ** 2 for reward in known) / (len(known) - 1)) ** 0.5
    return [
        0.0 if reward is None else (reward - mean) / (1 if grpo.scale_rewards == "none" else spread + 1e-4)
        for reward in rewards
    ]


def test_each_part_is_centred_and_divided_in_its_group_before_the_weight_mixes_them():
    # Marks 1, 0, 0, 1: mean 0.5, deviation sqrt(4 * 0.25 / 3). Values 9, 0, 9, 0 the same.
    unit = 0.5 / ((1 / 3) ** 0.5 + 1e-4)
    found = apart([1, 0, 0, 1], [9, 0, 9, 0], spec())
    assert found == pytest.approx([unit, -unit, -0.75 * unit + 0.25 * unit, 0.75 * unit - 0.25 * unit])


def test_where_the_verifier_calls_a_group_equal_the_judge_has_its_share_and_no_more():
    marks, values = [1, 1, 1, 1], [7, 8, 7.5, 8.5]
    grpo = spec()
    alone = apart([None] * 4, values, grpo)
    # Together, the judge's small differences are as large as those between right and wrong.
    assert together(marks, values, grpo) == pytest.approx(alone, rel=1e-2)
    assert apart(marks, values, grpo) == pytest.approx([0.25 * advantage for advantage in alone])
    assert max(map(abs, alone)) > 1


def test_where_the_judge_calls_a_group_equal_the_verifier_has_its_share():
    grpo = spec()
    alone = apart([1, 0, 0, 0], [4.0] * 4, spec(verifier_weight=1))
    assert apart([1, 0, 0, 0], [4.0] * 4, grpo) == pytest.approx([0.75 * advantage for advantage in alone])


def test_groups_are_apart_and_the_judge_counts_alone_in_one_without_ground_truth():
    marks, values = [1, 0, 0, 1, None, None, None, None], [9, 0, 3, 6, 1, 2, 3, 4]
    grpo = spec()
    found = apart(marks, values, grpo)
    assert found[:4] == pytest.approx(apart(marks[:4], values[:4], grpo))
    # As together: mean 2.5 / 9, deviation sqrt(5 / 3) / 9.
    assert found[4:] == pytest.approx(together(marks[4:], values[4:], grpo), rel=1e-5)
    assert found[4] == pytest.approx((-1.5 / 9) / ((5 / 3) ** 0.5 / 9 + 1e-4))


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_parts_are_divided_by_what_scale_rewards_says(scale):
    marks, values = [1, 0, 0, 0, 1, 1, 1, 0], [9, 0, 0, 0, 9, 0, 9, 0]
    found = apart(marks, values, spec(scale_rewards=scale))
    verifier, judge = torch.tensor(marks, dtype=torch.float32), torch.tensor(values) / 9
    expected = torch.zeros(8)
    for weight, part in ((0.75, verifier), (0.25, judge)):
        for group in (slice(0, 4), slice(4, 8)):
            spread = {"group": part[group].std() + 1e-4, "batch": part.std() + 1e-4, "none": 1}[scale]
            expected[group] += weight * (part[group] - part[group].mean()) / spread
    assert found == pytest.approx(expected.tolist(), rel=1e-5, abs=1e-7)


def test_without_dividing_both_ways_give_the_same():
    marks, values, grpo = [1, 0, 0, 1], [9, 1, 5, 2], spec(scale_rewards="none")
    assert apart(marks, values, grpo) == pytest.approx(together(marks, values, grpo), abs=1e-6)


def test_a_leave_one_out_advantage_compares_each_part_with_the_mean_of_the_others():
    grpo = spec(scale_rewards="none", advantage="leave_one_out")
    found = apart([1, 0, 0, 1], [9, 0, 4.5, 9], grpo)
    # Of the marks 1 - 1/3; of the values 1 - 0.5.
    assert found[0] == pytest.approx(0.75 * (1 - 1 / 3) + 0.25 * (1 - 0.5))
    assert found[2] == pytest.approx(0.75 * (0 - 2 / 3) + 0.25 * (0.5 - 2 / 3))
    # A judge's only value has no others.
    lone = apart([None] * 4, [9, None, None, None], grpo)
    assert lone == [0, 0, 0, 0]


def test_the_verifiers_word_stands_in_both_parts_where_it_counts_alone():
    grpo = spec()
    found = apart([0, 0, 0, 1], [None, 0, 4.5, 9], grpo)
    assert found == pytest.approx(apart([0, 0, 0, 1], [0, 0, 4.5, 9], grpo))
    # A wrong completion gains nothing by leaving the judge without a score.
    assert found[0] == found[1] == min(found)


def test_a_masked_completion_has_no_advantage_and_counts_in_no_mean_and_no_spread():
    grpo = spec(when_unscored="mask", num_generations=5)
    marks, values = [0, 1, 0, 0, 1], [None, 9, 0, 3, 6]
    found = apart(marks, values, grpo)
    assert found[0] == 0
    assert found[1:] == pytest.approx(apart(marks[1:], values[1:], spec(when_unscored="mask")))


@pytest.mark.parametrize("when_unscored", ["verifier", "mask"])
def test_at_verifier_weight_1_the_judge_changes_nothing_and_at_0_the_verifier(when_unscored):
    marks, values = [1, 0, 0, 1], [9, None, 5, 1]
    only = spec(verifier_weight=1, when_unscored=when_unscored)
    assert apart(marks, values, only) == pytest.approx(together(marks, values, only), rel=1e-5)
    none = spec(verifier_weight=0, when_unscored=when_unscored)
    assert apart(marks, values, none) == pytest.approx(together(marks, values, none), rel=1e-5)


def test_a_group_without_any_difference_or_any_reward_gives_zeros():
    assert apart([1, 1, 1, 1], [9, 9, 9, 9], spec()) == [0, 0, 0, 0]
    assert apart([None] * 4, [None] * 4, spec()) == [0, 0, 0, 0]


@pytest.mark.parametrize("rank", [0, 1])
def test_each_rank_learns_from_its_share_and_rewards_are_logged_as_they_were(rank, monkeypatch):
    from trl.trainer.grpo_trainer import GRPOTrainer

    from gavel_train.policy.apart import ApartTrainer

    grpo = spec()
    marks, values = [1, 0, 0, 1, None, None, None, None], [9, 0, 3, 6, 1, 2, None, 4]
    records = rollouts(marks, values, grpo)
    trainer = object.__new__(ApartTrainer)
    trainer._grpo = grpo
    trainer.accelerator = SimpleNamespace(process_index=rank)
    trainer._logs = {
        "extra": defaultdict(lambda: deque(maxlen=8)),
        "advantages": deque(maxlen=8),
    }

    def stock(self, inputs):
        self._logs["extra"]["rollout"].extend(records)
        self._logs["advantages"].extend([9.0] * 8)
        return {"advantages": torch.full((4,), 9.0)}

    monkeypatch.setattr(GRPOTrainer, "_generate_and_score_completions", stock)
    expected = apart(marks, values, grpo)
    output = trainer._generate_and_score_completions(None)
    assert output["advantages"].tolist() == pytest.approx(expected[rank * 4 : rank * 4 + 4])
    assert list(trainer._logs["advantages"]) == pytest.approx(expected)
    assert [one["reward"] for one in records] == [one["reward"] for one in rollouts(marks, values, grpo)]
