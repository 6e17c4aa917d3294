"""Leave-one-out advantages, as in RLOO (Ahmadian et al. 2024, "Back to Basics")."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from trl.trainer.grpo_trainer import GRPOTrainer


class LeaveOneOutTrainer(GRPOTrainer):
    """Compares each reward with the mean of the others of its group.

    For scale_rewards "none" and one reward function. TRL has no leave-one-out advantages for a
    `rollout_func`, and a reward function that scaled its rewards would scale them in all logs too.
    """

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        # TRL keeps both over all ranks, as long as one generation batch, which is one step here.
        (rewards,) = self._logs["rewards"].values()
        logged = self._logs["advantages"]
        assert self.num_generations is not None
        factors = leave_one_out_factors(torch.tensor(list(rewards)), self.num_generations)
        for index, advantage in enumerate((torch.tensor(list(logged)) * factors).tolist()):
            logged[index] = advantage
        mine = output["advantages"]
        first = self.accelerator.process_index * len(mine)
        output["advantages"] = mine * factors[first : first + len(mine)].to(mine)
        return output


def leave_one_out_factors(rewards: Tensor, group_size: int) -> Tensor:
    """Return what turns `reward - mean of its group` into `reward - mean of the others`, one factor a reward.

    `rewards` [rows] are those of whole groups, NaN where there is none; TRL's mean leaves these out. Among n
    rewards r_i - (sum - r_i) / (n - 1) = n / (n - 1) * (r_i - sum / n). A reward without others gets 0.
    """
    counts = (~rewards.isnan()).view(-1, group_size).sum(dim=1)
    factors = torch.where(counts > 1, counts / (counts - 1).clamp(min=1), 0.0)
    return factors.repeat_interleave(group_size)
