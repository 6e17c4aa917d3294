"""The desk of a run: has completions judged, and turns the verdicts into rewards."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from gavel_train.contracts import Grade, GradeRequest, PromptRow, Spec
from gavel_train.judging.batch import JudgedBatch
from gavel_train.judging.gateway import GatewayClient
from gavel_train.judging.grading import Mode
from gavel_train.judging.paired_batch import PairedBatch
from gavel_train.judging.pairs import Pair, pairs_of_group
from gavel_train.judging.reward import Judged, Opinion, WhenUnscored, mixed_reward, tie_at_most
from gavel_train.run.outcome import BadRequest
from gavel_train.tasks import Verify
from gavel_train.tasks.unlabelled import with_truth

# One unlucky step may have no readable verdict; three in a row are a judge or a rubric that does not fit.
_BATCHES_WITHOUT_SCORE = 3
_EXPECTED: dict[Mode, str] = {
    "reasoned": "a reply that ends in 'Score: N'",
    "single_token": "one digit",
    "choice": "one of the rubric's labels",
    "pairwise": "the rubric's word for the first completion, the second, or neither",
}


class RewardDesk:
    """Has completions judged, and turns the verdicts into rewards."""

    def __init__(self, client: GatewayClient, spec: Spec, verify: Verify) -> None:
        self._client = client
        self._run = spec.run
        self._mode: Mode = spec.judge.mode
        self._confidence_threshold = spec.judge.panel.confidence_threshold
        self._num_generations = spec.grpo.num_generations
        self._pairs = pairs_of_group(spec.grpo) if spec.judge.mode == "pairwise" else None
        self._weight = spec.grpo.verifier_weight
        self._when_unscored: WhenUnscored = spec.grpo.when_unscored
        self._verify = verify
        self._without_score = 0

    def open(self, step: int, first_position: int, rows: Sequence[PromptRow]) -> JudgedBatch:
        """Begin a batch of rollouts, one per row; `first_position` is counted over all ranks."""
        if self._pairs is not None:
            return PairedBatch(self, step, first_position, rows, self._pairs)
        return JudgedBatch(self, step, first_position, rows)

    def submit(self, step: int, position: int, row: PromptRow, completion: str) -> Future[Grade]:
        """Start grading one rollout; returns at once."""
        group, rollout = divmod(position, self._num_generations)
        return self._client.submit(
            GradeRequest(
                role="judge",
                mode=self._mode,
                occasion=f"grpo:{step}:{group}:{rollout}",
                prompt=row.prompt,
                completion=completion,
                ground_truth=row.ground_truth,
            )
        )

    def compare(
        self, step: int, group: int, pair: Pair, row: PromptRow, completion: str, opponent: str
    ) -> Future[Grade]:
        """Start comparing two rollouts of a group; returns at once."""
        return self._client.submit(
            GradeRequest(
                role="judge",
                mode=self._mode,
                occasion=f"grpo:{step}:{group}:{pair[0]}-vs-{pair[1]}",
                prompt=row.prompt,
                completion=completion,
                opponent=opponent,
                ground_truth=row.ground_truth,
            )
        )

    def judged(self, step: int, position: int, row: PromptRow, completion: str, opinion: Opinion) -> Judged:
        """Return a rollout with its verdict and reward."""
        verifier = self._verify(completion, row)
        hidden = with_truth(row)
        group, rollout = divmod(position, self._num_generations)
        value = opinion.rewarded
        if value is None and opinion.comparisons is not None and self._when_unscored == "verifier":
            value = tie_at_most(verifier)
        return Judged(
            step=step,
            group=group,
            rollout=rollout,
            prompt_id=row.id,
            completion=completion,
            trace_keys=opinion.trace_keys,
            verdict=opinion.verdict,
            score=opinion.score,
            value=opinion.value,
            comparisons=None if opinion.comparisons is None else opinion.comparisons.model_dump(),
            verifier=verifier,
            # For people alone: the reward knows nothing of it.
            hidden_verifier=None if hidden is None else self._verify(completion, hidden),
            reward=mixed_reward(
                verifier, value, verifier_weight=self._weight, when_unscored=self._when_unscored
            ),
        )

    def refuse_nonsense(self, grades: Sequence[Grade]) -> None:
        """Raise BadRequest once several batches in a row had not one score: that teaches no grader."""
        if not grades:
            # Of completions that are all alike nobody was asked.
            return
        scored = any(grade.verdict == "scored" for grade in grades)
        self._without_score = 0 if scored else self._without_score + 1
        if self._without_score < _BATCHES_WITHOUT_SCORE:
            return
        grade = grades[0]
        field, expected = "judge", _EXPECTED[self._mode]
        if grade.verdict == "low_confidence":
            field = "judge.panel.confidence_threshold"
            known = "not known" if grade.confidence is None else f"{grade.confidence:.2f}"
            expected = f"a confidence of at least {self._confidence_threshold:g} (the last one is {known})"
        raise BadRequest(
            field,
            # This message goes into Temporal's history, which holds no text of a model.
            f"Expected {expected}, got no score in {self._without_score} steps in a row; the last verdict "
            f"was {grade.verdict}. Its reply: `gavel traces {self._run} --key {grade.trace_keys[0][:12]}`",
        )
