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


def test_reward_mixes_verifier_and_judge_by_weight():
    assert mixed_reward(1.0, 9.0, verifier_weight=0.5) == 1.0
    assert mixed_reward(1.0, 0.0, verifier_weight=0.7) == pytest.approx(0.7)
    assert mixed_reward(0.0, 4.5, verifier_weight=0.2) == pytest.approx(0.4)


def test_the_judge_alone_rewards_where_there_is_no_ground_truth():
    assert mixed_reward(None, 3.0, verifier_weight=0.9) == pytest.approx(1 / 3)


def test_no_score_is_no_reward_even_where_the_verifier_says_right():
    assert mixed_reward(1.0, None, verifier_weight=1.0) is None
    assert mixed_reward(None, None, verifier_weight=0.5) is None


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


def test_a_judge_that_answers_nonsense_three_steps_in_a_row_ends_the_stage_with_its_words(tmp_path):
    from tiny_run import resolved_spec

    nonsense = grade(None, verdict="unparseable").model_copy(update={"reasoning": "blah blah"})
    desk = RewardDesk(
        AnsweredAtOnce(nonsense), Spec.model_validate(resolved_spec()), lambda completion, row: 1.0
    )
    row = PromptRow(id="p", prompt="p", ground_truth="1", meta={})
    for step in (1, 2):
        assert desk.judge_all(step, 0, [row], ["x"])[0].reward is None
    with pytest.raises(BadRequest, match=r"3 steps in a row.*unparseable.*blah blah"):
        desk.judge_all(3, 0, [row], ["x"])
