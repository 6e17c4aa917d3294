"""What a step did: its rollouts with their advantages, and the figures that people watch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gavel_train.contracts import RolloutRecord

_TRL_FIGURES = {name: name for name in ("kl", "loss", "grad_norm", "learning_rate", "entropy")} | {
    # How far the sampler's probabilities are from the trainer's, where another process samples.
    "sampling/importance_sampling_ratio/min": "sampling_ratio_min",
    "sampling/importance_sampling_ratio/mean": "sampling_ratio_mean",
    "sampling/importance_sampling_ratio/max": "sampling_ratio_max",
    "sampling/sampling_logp_difference/mean": "sampling_logp_difference_mean",
    "sampling/sampling_logp_difference/max": "sampling_logp_difference_max",
}


def rollouts_of_step(trainer: Any) -> list[RolloutRecord]:
    """Return the records of the step that has just been made, over all ranks, by group and rollout.

    TRL keeps its logs as long as one generation batch, which is one step here.
    """
    logs = trainer._logs
    return [
        RolloutRecord(**fields, advantage=advantage)
        for fields, advantage in zip(logs["extra"]["rollout"], logs["advantages"], strict=True)
    ]


def figures(records: Sequence[RolloutRecord]) -> dict[str, float | None]:
    """Return mean reward, verifier accuracy, judge score and the share of rollouts without a score.

    Verifier accuracy is over the rows whose truth the reward knows. Where the truth of some is hidden, theirs
    is a figure of its own, beside the share of rollouts that it is about.
    """
    hidden = [record.hidden_verifier for record in records if record.hidden_verifier is not None]
    apart = (
        {"verifier_accuracy_unlabelled": mean(hidden), "unlabelled": len(hidden) / len(records)}
        if hidden
        else {}
    )
    return {
        "reward": mean(record.reward for record in records),
        "verifier_accuracy": mean(record.verifier for record in records),
        "judge_value": mean(record.value for record in records),
        "unscored": mean(float(record.verdict != "scored") for record in records),
        **_of_comparisons(records),
        **apart,
    }


def _of_comparisons(records: Sequence[RolloutRecord]) -> dict[str, float | None]:
    """Return, of a judge that compares, the share of pairs in which it preferred a position."""
    compared = [record.comparisons for record in records if record.comparisons is not None]
    if not compared:
        return {}
    # Each pair stands in the record of both of its completions.
    pairs = sum(each.compared for each in compared)
    return {"order_dependent": sum(each.order_dependent for each in compared) / pairs if pairs else None}


def trl_figures(logs: dict[str, Any]) -> dict[str, float]:
    """Return what is worth showing of TRL's own log of a step."""
    return {ours: float(logs[name]) for name, ours in _TRL_FIGURES.items() if logs.get(name) is not None}


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are there, None if none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
