"""Leave-one-out advantages, as in RLOO (Ahmadian et al. 2024, "Back to Basics")."""

from __future__ import annotations

import torch
from torch import Tensor

from gavel_train.policy.own_advantages import OwnAdvantagesTrainer


class LeaveOneOutTrainer(OwnAdvantagesTrainer):
    """Compares each reward with the mean of the others of its group.

    For scale_rewards "none". TRL has no leave-one-out advantages for a `rollout_func`.
    """

    def advantages_of_step(self) -> Tensor:
        """Return TRL's centred rewards times the factors."""
        (rewards,) = self._logs["rewards"].values()
        assert self.num_generations is not None
        factors = leave_one_out_factors(torch.tensor(list(rewards)), self.num_generations)
        return torch.tensor(list(self._logs["advantages"])) * factors


def leave_one_out_factors(rewards: Tensor, group_size: int) -> Tensor:
    """Return what turns `reward - mean of its group` into `reward - mean of the others`, one factor a reward.

    `rewards` [rows] are those of whole groups, NaN where there is none; TRL's mean leaves these out. Among n
    rewards r_i - (sum - r_i) / (n - 1) = n / (n - 1) * (r_i - sum / n). A reward without others gets 0.
    """
    counts = (~rewards.isnan()).view(-1, group_size).sum(dim=1)
    factors = torch.where(counts > 1, counts / (counts - 1).clamp(min=1), 0.0)
    return factors.repeat_interleave(group_size)
