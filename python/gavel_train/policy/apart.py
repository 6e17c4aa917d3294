"""Advantages of judge and verifier that are normalised apart (`grpo.normalise: apart`).

For completion i of a group, with the verifier's mark v and the judge's value j = value / 9, or its win rate:

    advantage_i = w * N(v)_i + (1 - w) * N(j)_i

N subtracts the mean over the group's completions that have the part (over the others of them with
`advantage: leave_one_out`) and divides by `standard deviation + 1e-4`, of the group or of the whole step, as
`scale_rewards` says and as TRL does with the one reward. Together, it is N(w * v + (1 - w) * j): in a group
that the verifier calls equal, dividing by the spread of the judge alone makes its noise as large as a
difference between right and wrong. Apart, it has its share 1 - w.

Parts that are missing, as in the reward:

    no mark of the verifier   the judge's part counts alone, with weight 1
    no score of the judge     where the verifier's word counts alone, it stands in both parts: a wrong
                              completion gains nothing by leaving the judge without a score
    no reward                 the completion counts in no mean and no spread, and its advantage is 0

TRL's own `multi_objective_aggregation: normalize_then_sum` divides by the spread of the group whatever
scale_rewards says, normalises the sum again over the whole step, and takes a missing part for average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from trl.trainer.utils import nanstd

from gavel_train.contracts import GrpoSpec
from gavel_train.judging.reward import HIGHEST_VALUE
from gavel_train.policy.leave_one_out import leave_one_out_factors
from gavel_train.policy.own_advantages import OwnAdvantagesTrainer

# TRL's: it keeps a spread of 0 from dividing.
_SMALLEST_SPREAD = 1e-4


class ApartTrainer(OwnAdvantagesTrainer):
    """Mixes the advantages of judge and verifier instead of their rewards."""

    def __init__(self, *arguments: Any, grpo: GrpoSpec, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._grpo = grpo

    def advantages_of_step(self) -> Tensor:
        """Return the mixed advantages."""
        return advantages_apart(list(self._logs["extra"]["rollout"]), self._grpo)


def advantages_apart(rollouts: Sequence[Mapping[str, Any]], grpo: GrpoSpec) -> Tensor:
    """Return one advantage a rollout, [rows]; `rollouts` are whole groups with verifier, value and reward."""
    marks, values = zip(*(_parts(one) for one in rollouts), strict=True)
    verifier, judge = torch.tensor(marks), torch.tensor(values)
    weight = torch.where(verifier.isnan(), 0.0, grpo.verifier_weight)
    return weight * _normalised(verifier, grpo) + (1 - weight) * _normalised(judge, grpo)


def _parts(rollout: Mapping[str, Any]) -> tuple[float, float]:
    """Return the verifier's mark and the judge's value, 0 to 1; NaN for a part that is missing."""
    if rollout["reward"] is None:
        return torch.nan, torch.nan
    mark = torch.nan if rollout["verifier"] is None else float(rollout["verifier"])
    judge = None if rollout["value"] is None else rollout["value"] / HIGHEST_VALUE
    comparisons = rollout.get("comparisons")
    if comparisons is not None:
        # As in the reward: without a word, a tie at most.
        judge = comparisons["win_rate"]
        return mark, min(0.5, mark) if judge is None else judge
    return mark, mark if judge is None else judge


def _normalised(part: Tensor, grpo: GrpoSpec) -> Tensor:
    """Centre one part in its groups and scale it, [rows]; 0 where it is missing or has nothing to compare."""
    grouped = part.view(-1, grpo.num_generations)
    centred = grouped - torch.nanmean(grouped, dim=1, keepdim=True)
    if grpo.scale_rewards == "group":
        centred = centred / (nanstd(grouped, dim=1, keepdim=True) + _SMALLEST_SPREAD)
    elif grpo.scale_rewards == "batch":
        centred = centred / (nanstd(part) + _SMALLEST_SPREAD)
    advantages = centred.flatten().nan_to_num(nan=0.0)
    if grpo.advantage == "leave_one_out":
        advantages = advantages * leave_one_out_factors(part, grpo.num_generations)
    return advantages
