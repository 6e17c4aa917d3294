import threading
from concurrent.futures import Future

import pytest
from tiny_run import resolved_spec

from gavel_train.contracts import Grade, Preference, PromptRow, RolloutRecord, Spec
from gavel_train.judging.desk import RewardDesk
from gavel_train.judging.reward import as_record
from gavel_train.policy.step_log import figures
from gavel_train.run.outcome import BadRequest

ROW = PromptRow(id="p1", prompt="1+1=", ground_truth="2", meta={})


def compared(win: float | None, order: str = "consistent", verdict: str = "refused") -> Grade:
    label = None if win is None else "A" if win > 0.5 else "B" if win < 0.5 else "tie"
    return Grade(
        trace_keys=["a" * 64, "b" * 64],
        verdict=verdict if win is None else "scored",
        score=None,
        value=None,
        value_rule=None,
        p_pass=None,
        confidence=None,
        distribution=None,
        off_scale_mass=None,
        preference=None if win is None else Preference(label=label, distribution=None, win=win, order=order),
        reasoning=None,
        replayed=False,
        latency_ms=1.0,
    )


class Judge:
    """A client that compares by `compare(completion, opponent)`."""

    def __init__(self, compare):
        self.compare = compare
        self.asked = []

    def submit(self, request):
        self.asked.append(request)
        future: Future[Grade] = Future()
        future.set_result(self.compare(request.completion, request.opponent))
        return future


def desk_of(compare, **grpo) -> RewardDesk:
    spec = resolved_spec()
    spec["judge"]["mode"] = "pairwise"
    spec["grpo"] |= {"num_generations": 4, "verifier_weight": 0.0} | grpo
    return RewardDesk(Judge(compare), Spec.model_validate(spec), lambda completion, row: None)


def judge(desk: RewardDesk, texts: list[str], *, step=1, first_position=0, order=None):
    with desk.open(step, first_position, [ROW] * len(texts)) as batch:
        for index in order or range(len(texts)):
            batch.hand_in(index, texts[index])
        return batch.collect()


def longer(completion: str, opponent: str) -> Grade:
    return compared(1.0 if len(completion) > len(opponent) else 0.0)


def test_a_completion_is_rewarded_by_the_share_of_its_pairs_that_it_wins():
    judged = judge(desk_of(longer), ["aaa", "a", "aaaa", "aa"])
    assert [one.reward for one in judged] == pytest.approx([2 / 3, 0, 1, 1 / 3])
    assert [one.comparisons["win_rate"] for one in judged] == pytest.approx([2 / 3, 0, 1, 1 / 3])
    assert {(one.verdict, one.score, one.value) for one in judged} == {("scored", None, None)}


def test_each_pair_is_asked_once_whatever_the_order_in_which_completions_end():
    texts = ["aaa", "a", "aaaa", "aa"]
    desks = [desk_of(longer), desk_of(longer)]
    rewards = [[one.reward for one in judge(desks[0], texts)]]
    rewards += [[one.reward for one in judge(desks[1], texts, order=[2, 0, 3, 1])]]
    assert rewards[0] == rewards[1]
    asked = [sorted(request.occasion for request in desk._client.asked) for desk in desks]
    assert asked[0] == asked[1] == [f"grpo:1:0:{a}-vs-{b}" for a in range(4) for b in range(a + 1, 4)]


def test_a_batch_of_two_groups_compares_within_each_and_counts_groups_over_all_ranks():
    desk = desk_of(longer)
    judged = judge(desk, ["a", "b2", "c33", "d444"] * 2, first_position=8)
    assert [one.group for one in judged] == [2] * 4 + [3] * 4
    assert {request.occasion.split(":")[2] for request in desk._client.asked} == {"2", "3"}
    assert len(desk._client.asked) == 12


def test_with_fewer_opponents_each_completion_has_as_many_pairs():
    desk = desk_of(longer, opponents=2)
    judged = judge(desk, ["aaa", "a", "aaaa", "aa"])
    assert len(desk._client.asked) == 4
    assert [one.comparisons["pairs"] for one in judged] == [2] * 4


def test_equal_texts_tie_and_nobody_is_asked_about_them():
    desk = desk_of(longer)
    judged = judge(desk, ["aa", "aa", "a", "aa"])
    assert len(desk._client.asked) == 3
    assert [one.reward for one in judged] == pytest.approx([2 / 3, 2 / 3, 0, 2 / 3])
    assert [one.comparisons["compared"] for one in judged] == [1, 1, 3, 1]


def test_a_group_of_equal_texts_ties_without_a_call():
    desk = desk_of(longer)
    judged = judge(desk, ["a"] * 4)
    assert desk._client.asked == []
    assert [(one.verdict, one.reward, one.trace_keys) for one in judged] == [("scored", 0.5, [])] * 4


def test_a_completion_without_a_preference_in_more_than_half_of_its_pairs_has_no_reward():
    def silent_about_x(completion: str, opponent: str) -> Grade:
        return compared(None) if "x" in completion + opponent else longer(completion, opponent)

    judged = judge(desk_of(silent_about_x), ["x", "aa", "a", "aaa"])
    assert [one.reward for one in judged] == [None, 0.5, 0.0, 1.0]
    assert judged[0].verdict == "refused"
    assert judged[0].comparisons["win_rate"] is None


def test_equal_texts_give_no_reward_to_a_completion_that_the_judge_cannot_compare():
    def silent_about_x(completion: str, opponent: str) -> Grade:
        return compared(None) if "x" in completion + opponent else longer(completion, opponent)

    judged = judge(desk_of(silent_about_x), ["x", "x", "x", "a"])
    assert [(one.verdict, one.reward) for one in judged] == [("refused", None)] * 4
    assert judged[0].comparisons == {"pairs": 3, "compared": 0, "order_dependent": 0, "win_rate": None}


@pytest.mark.parametrize(("verifier", "reward"), [(1.0, 0.75), (0.0, 0.0), (0.25, 0.25)])
def test_a_completion_that_cannot_be_compared_is_rewarded_as_if_it_tied_at_most(verifier, reward):
    desk = desk_of(lambda *_: compared(None), verifier_weight=0.5)
    desk._verify = lambda completion, row: verifier
    assert [one.reward for one in judge(desk, ["a", "b", "c", "d"])] == pytest.approx([reward] * 4)


def test_pairs_in_which_the_judge_prefers_a_position_are_counted_and_shown():
    judged = judge(desk_of(lambda *_: compared(0.5, "first")), ["a", "b", "c", "d"])
    records = [RolloutRecord(**as_record(one), advantage=0.0) for one in judged]
    assert [record.comparisons.order_dependent for record in records] == [3] * 4
    assert figures(records) | {"reward": 0.5} == {
        "reward": 0.5,
        "verifier_accuracy": None,
        "judge_value": None,
        "unscored": 0.0,
        "order_dependent": 1.0,
    }


def test_a_judge_that_prefers_nothing_three_steps_in_a_row_ends_the_run_with_the_reason():
    desk = desk_of(lambda *_: compared(None, verdict="unparseable"))
    for step in (1, 2):
        assert [one.reward for one in judge(desk, ["a", "b", "c", "d"], step=step)] == [None] * 4
    with pytest.raises(BadRequest, match="the rubric's word for the first completion"):
        judge(desk, ["a", "b", "c", "d"], step=3)


def test_rows_that_are_no_whole_groups_are_refused_before_anything_is_asked():
    desk = desk_of(longer)
    for first_position, rows in ((0, 3), (2, 4)):
        with pytest.raises(RuntimeError, match="whole groups of 4"):
            desk.open(1, first_position, [ROW] * rows)


def test_completions_handed_in_by_several_threads_are_compared_once():
    desk = desk_of(longer, num_generations=16)
    texts = ["a" * (1 + index) for index in range(16)]
    with desk.open(1, 0, [ROW] * 16) as batch:
        threads = [threading.Thread(target=batch.hand_in, args=(at, texts[at])) for at in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        judged = batch.collect()
    assert len(desk._client.asked) == 120
    assert [one.reward for one in judged] == pytest.approx([index / 15 for index in range(16)])


def test_a_batch_that_is_left_by_an_exception_cancels_what_has_not_ended():
    desk = desk_of(longer)
    calls: list[Future[Grade]] = []

    def never(request):
        calls.append(Future())
        return calls[-1]

    desk._client.submit = never
    with pytest.raises(RuntimeError, match="boom"), desk.open(1, 0, [ROW] * 4) as batch:
        for index in range(4):
            batch.hand_in(index, "a" * (1 + index))
        raise RuntimeError("boom")
    assert len(calls) == 6
    assert all(call.cancelled() for call in calls)
