from concurrent.futures import Future

import pytest

from gavel_train.contracts import Grade, PromptRow, Spec
from gavel_train.judging.reward import RewardDesk, mixed_reward, score_of
from gavel_train.run.outcome import BadRequest


def grade(score: int | None, *, verdict: str = "scored", expectation: float | None = None, confidence=None):
    return Grade(
        key="a" * 64,
        verdict=verdict,
        score=score,
        expectation=expectation,
        confidence=confidence,
        off_digit_mass=None,
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


def test_the_score_is_the_mean_of_the_votes_that_were_scored():
    votes = [grade(9), grade(6), grade(None, verdict="unparseable"), grade(None, verdict="refused")]
    assert score_of(votes, mode="reasoned", threshold=0) == 7.5
    assert score_of(votes[2:], mode="reasoned", threshold=0) is None


def test_a_single_token_score_is_the_expectation_and_a_reasoned_one_the_digit():
    vote = [grade(7, expectation=6.2)]
    assert score_of(vote, mode="single_token", threshold=0) == 6.2
    assert score_of(vote, mode="reasoned", threshold=0) == 7.0


def test_votes_below_the_confidence_threshold_do_not_count():
    votes = [grade(9, confidence=0.4), grade(3, confidence=0.8), grade(6, confidence=None)]
    assert score_of(votes, mode="reasoned", threshold=0.5) == 3.0
    assert score_of(votes[:1], mode="reasoned", threshold=0.5) is None
    assert score_of(votes, mode="reasoned", threshold=0) == 6.0


class AnsweredAtOnce:
    """A client whose every verdict is the same."""

    def __init__(self, answer: Grade):
        self.answer = answer

    def submit(self, request):
        future: Future[Grade] = Future()
        future.set_result(self.answer)
        return future


def test_a_judge_that_answers_nonsense_three_steps_in_a_row_ends_the_stage_and_is_not_quoted():
    from tiny_run import resolved_spec

    nonsense = grade(None, verdict="unparseable").model_copy(update={"reasoning": "blah blah"})
    desk = RewardDesk(
        AnsweredAtOnce(nonsense), Spec.model_validate(resolved_spec()), lambda completion, row: 1.0
    )
    row = PromptRow(id="p", prompt="p", ground_truth="1", meta={})
    for step in (1, 2):
        # The verifier rewards meanwhile.
        assert desk.judge_all(step, 0, [row], ["x"])[0].reward == 1.0
    with pytest.raises(BadRequest, match=r"3 steps in a row.*traces tiny --verdict unparseable") as end:
        desk.judge_all(3, 0, [row], ["x"])
    assert "blah" not in str(end.value)
