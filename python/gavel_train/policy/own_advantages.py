"""TRL's trainer with advantages that gavel computes from a step's rollouts."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from trl.trainer.grpo_trainer import GRPOTrainer


class OwnAdvantagesTrainer(GRPOTrainer):
    """Replaces a step's advantages, in what is learned from and in TRL's logs; rewards stay as they are.

    For one reward function. A reward function that normalised its rewards would change them in all logs, and
    TRL would normalise them again.
    """

    def advantages_of_step(self) -> Tensor:
        """Return the advantages of the rows of all ranks, in the order of TRL's logs."""
        raise NotImplementedError

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        # TRL keeps its logs over all ranks, as long as one generation batch, which is one step here.
        advantages, logged = self.advantages_of_step(), self._logs["advantages"]
        for index, advantage in enumerate(advantages.tolist()):
            logged[index] = advantage
        mine = output["advantages"]
        first = self.accelerator.process_index * len(mine)
        output["advantages"] = advantages[first : first + len(mine)].to(mine)
        return output
