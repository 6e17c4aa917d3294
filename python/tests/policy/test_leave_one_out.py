"""Leave-one-out advantages against values computed by hand."""

from collections import defaultdict, deque
from types import SimpleNamespace

import pytest
import torch

# TRL's trainer is imported after that.
pytestmark = pytest.mark.usefixtures("imported_once")

NAN = float("nan")
# Groups of four: all scored, two scored, one scored, none scored.
REWARDS = [1.0, 0.0, 0.0, 1.0, 0.6, NAN, 0.2, NAN, NAN, 0.9, NAN, NAN, NAN, NAN, NAN, NAN]
# Reward minus mean of the scored rewards of the group, 0 without a reward: what TRL computes.
CENTRED = [0.5, -0.5, -0.5, 0.5, 0.2, 0, -0.2, 0, 0, 0, 0, 0, 0, 0, 0, 0]
# Reward minus mean of the others: 1 - 1/3, 0 - 2/3, 0 - 2/3, 1 - 1/3; 0.6 - 0.2, 0.2 - 0.6; 0 without others.
EXPECTED = [2 / 3, -2 / 3, -2 / 3, 2 / 3, 0.4, 0, -0.4, 0, 0, 0, 0, 0, 0, 0, 0, 0]


def test_centred_rewards_times_the_factors_are_differences_from_the_mean_of_the_others():
    from gavel_train.policy.leave_one_out import leave_one_out_factors

    factors = leave_one_out_factors(torch.tensor(REWARDS), 4)
    assert (torch.tensor(CENTRED) * factors).tolist() == pytest.approx(EXPECTED)


@pytest.mark.parametrize("rank", [0, 1])
def test_each_rank_learns_from_its_share_and_the_log_has_all_rows_with_unscaled_rewards(rank, monkeypatch):
    from trl.trainer.grpo_trainer import GRPOTrainer

    from gavel_train.policy.leave_one_out import LeaveOneOutTrainer

    share = slice(rank * 8, rank * 8 + 8)
    trainer = object.__new__(LeaveOneOutTrainer)
    trainer.num_generations = 4
    trainer.accelerator = SimpleNamespace(process_index=rank)
    trainer._logs = {"rewards": defaultdict(lambda: deque(maxlen=16)), "advantages": deque(maxlen=16)}

    def stock(self, inputs):
        self._logs["rewards"]["reward"].extend(REWARDS)
        self._logs["advantages"].extend(CENTRED)
        return {"advantages": torch.tensor(CENTRED)[share]}

    monkeypatch.setattr(GRPOTrainer, "_generate_and_score_completions", stock)
    # The second batch takes the place of the first in TRL's logs.
    for _ in range(2):
        output = trainer._generate_and_score_completions(None)
        assert output["advantages"].tolist() == pytest.approx(EXPECTED[share])
        assert list(trainer._logs["advantages"]) == pytest.approx(EXPECTED)
        assert list(trainer._logs["rewards"]["reward"]) == pytest.approx(REWARDS, nan_ok=True)
