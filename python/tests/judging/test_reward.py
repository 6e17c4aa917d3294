from concurrent.futures import Future

import pytest

from gavel_train.contracts import Grade, PromptRow, Spec
from gavel_train.judging.desk import RewardDesk
from gavel_train.judging.reward import mixed_reward
from gavel_train.run.outcome import BadRequest
from gavel_train.tasks.unlabelled import without_truth


def grade(score: int | None, *, verdict: str = "scored", value: float | None = None) -> Grade:
    return Grade(
        trace_keys=["a" * 64, "b" * 64],
        verdict=verdict,
        score=score,
        value=value,
        value_rule="expectation" if value is not None else None,
        p_pass=None,
        confidence=None,
        distribution=None,
        off_scale_mass=None,
        reasoning=None,
        replayed=False,
        latency_ms=1.0,
    )


def reward(verifier: float | None, score: float | None, weight: float, when_unscored="verifier"):
    return mixed_reward(verifier, score, verifier_weight=weight, when_unscored=when_unscored)


def test_reward_mixes_verifier_and_judge_by_weight():
    assert reward(1.0, 9.0, 0.5) == 1.0
    assert reward(1.0, 0.0, 0.7) == pytest.approx(0.7)
    assert reward(0.0, 4.5, 0.2) == pytest.approx(0.4)


def test_the_judge_alone_rewards_where_there_is_no_ground_truth():
    assert reward(None, 3.0, 0.9) == pytest.approx(1 / 3)


def test_a_wrong_completion_that_makes_the_judge_ramble_is_not_better_off_than_one_scored_0():
    for weight in (0.1, 0.5, 1.0):
        assert reward(0.0, None, weight) == reward(0.0, 0.0, weight) == 0.0


def test_the_verifiers_word_counts_alone_where_the_judge_gives_no_score():
    assert reward(1.0, None, 0.5) == 1.0


def test_without_a_score_there_is_no_reward_where_the_verifiers_word_does_not_count():
    assert reward(None, None, 0.5) is None
    assert reward(1.0, None, 0.0) is None
    assert reward(1.0, None, 0.5, "mask") is None


def test_at_verifier_weight_1_the_judge_changes_nothing_not_even_by_its_silence():
    for when_unscored in ("verifier", "mask"):
        assert [reward(1.0, score, 1.0, when_unscored) for score in (9.0, 0.0, None)] == [1.0, 1.0, 1.0]
        assert [reward(0.0, score, 1.0, when_unscored) for score in (9.0, 0.0, None)] == [0.0, 0.0, 0.0]


class AnsweredAtOnce:
    """A client whose every verdict is the same."""

    def __init__(self, answer: Grade):
        self.answer = answer
        self.asked = []

    def submit(self, request):
        self.asked.append(request)
        future: Future[Grade] = Future()
        future.set_result(self.answer)
        return future


def desk_of(answer: Grade, *, confidence_threshold: float = 0, **grpo) -> RewardDesk:
    from tiny_run import resolved_spec

    judge = {"panel": {"confidence_threshold": confidence_threshold}}
    spec = Spec.model_validate(resolved_spec(judge=judge, grpo=grpo))
    return RewardDesk(AnsweredAtOnce(answer), spec, lambda completion, row: 1.0)


def judge(desk: RewardDesk, step: int, first_position: int, *texts: str):
    with desk.open(step, first_position, [ROW] * len(texts)) as batch:
        for index, text in enumerate(texts):
            batch.hand_in(index, text)
        return batch.collect()


ROW = PromptRow(id="p", prompt="p", ground_truth="1", meta={})


def test_a_rollout_is_handed_in_once_and_rewarded_by_the_value_of_the_panels_verdict():
    desk = desk_of(grade(7, value=6.3))
    (judged,) = judge(desk, 4, 5, "x")
    assert [asked.occasion for asked in desk._client.asked] == ["grpo:4:2:1"]
    assert judged.reward == pytest.approx(0.5 + 0.5 * 6.3 / 9)
    assert (judged.score, judged.value, judged.verdict) == (7, 6.3, "scored")
    assert judged.trace_keys == ["a" * 64, "b" * 64]


def test_a_hidden_truth_reaches_neither_reward_nor_judge_and_is_compared_for_people_alone():
    desk = desk_of(grade(3, value=3.0))
    desk._verify = lambda completion, row: (
        None if row.ground_truth is None else float(completion == row.ground_truth)
    )
    hidden = without_truth(ROW)
    with desk.open(1, 0, [ROW, hidden, hidden]) as batch:
        for index, text in enumerate(("1", "1", "2")):
            batch.hand_in(index, text)
        judged = batch.collect()
    assert [asked.ground_truth for asked in desk._client.asked] == ["1", None, None]
    assert [one.verifier for one in judged] == [1.0, None, None]
    assert [one.hidden_verifier for one in judged] == [None, 1.0, 0.0]
    assert judged[1].reward == judged[2].reward == pytest.approx(3 / 9)


def test_a_judge_that_answers_nonsense_three_steps_in_a_row_ends_the_stage_and_is_not_quoted():
    nonsense = grade(None, verdict="unparseable").model_copy(update={"reasoning": "blah blah"})
    desk = desk_of(nonsense)
    for step in (1, 2):
        # The verifier rewards meanwhile.
        assert judge(desk, step, 0, "x")[0].reward == 1.0
    with pytest.raises(BadRequest, match=r"3 steps in a row.*traces tiny --key") as end:
        judge(desk, 3, 0, "x")
    assert "blah" not in str(end.value)


@pytest.mark.parametrize(("when_unscored", "expected"), [("verifier", 1.0), ("mask", None)])
def test_a_verdict_below_the_panels_confidence_has_no_score_and_is_rewarded_as_when_unscored_says(
    when_unscored, expected
):
    unsure = grade(None, verdict="low_confidence").model_copy(update={"confidence": 0.3})
    desk = desk_of(unsure, when_unscored=when_unscored)
    (judged,) = judge(desk, 1, 0, "x")
    assert (judged.verdict, judged.score, judged.value) == ("low_confidence", None, None)
    assert judged.reward == expected


@pytest.mark.parametrize(("confidence", "said"), [(0.3, "0.30"), (None, "not known")])
def test_a_threshold_that_no_verdict_reaches_ends_the_stage_and_is_named(confidence, said):
    unsure = grade(None, verdict="low_confidence").model_copy(update={"confidence": confidence})
    desk = desk_of(unsure, confidence_threshold=0.4)
    for step in (1, 2):
        judge(desk, step, 0, "x")
    with pytest.raises(BadRequest, match=rf"at least 0.4 \(the last one is {said}\)") as end:
        judge(desk, 3, 0, "x")
    assert end.value.field == "judge.panel.confidence_threshold"


def test_rollouts_may_end_in_any_order():
    class Echo(AnsweredAtOnce):
        def submit(self, request):
            self.answer = grade(int(request.completion))
            return super().submit(request)

    desk = desk_of(grade(0))
    desk._client = Echo(grade(0))
    with desk.open(1, 8, [ROW, ROW, ROW]) as batch:
        for index in (2, 0, 1):
            batch.hand_in(index, str(index + 3))
        judged = batch.collect()
    assert [(one.completion, one.score) for one in judged] == [("3", 3), ("4", 4), ("5", 5)]
    assert [(one.group, one.rollout) for one in judged] == [(4, 0), (4, 1), (5, 0)]


def test_a_batch_that_an_exception_leaves_cancels_its_calls():
    class Silent(AnsweredAtOnce):
        def submit(self, request):
            self.asked.append(Future())
            return self.asked[-1]

    desk = desk_of(grade(0))
    desk._client = client = Silent(grade(0))
    with pytest.raises(RuntimeError), desk.open(1, 0, [ROW]) as batch:
        batch.hand_in(0, "x")
        raise RuntimeError
    assert client.asked[0].cancelled()
