from types import SimpleNamespace

import pytest
from tiny_run import tokenizer

from gavel_train.contracts import PromptRow
from gavel_train.rollouts.engine import Completion, Sampling
from gavel_train.rollouts.prompts import as_prompt
from gavel_train.rollouts.trl_adapter import EngineRollout

ROW = PromptRow(id="a", prompt="1+1=", ground_truth=None, meta={})
WORDS = tokenizer()


class Scripted:
    """Yields completions as given, and says which were handed to the judge before the next was asked for."""

    def __init__(self, completions, batch):
        self.completions = completions
        self.batch = batch
        self.handed_in = []

    def generate(self, prompts, sampling):
        for completion in self.completions:
            self.handed_in.append(list(self.batch.texts))
            yield completion


class Batch:
    def __init__(self, rewards):
        self.rewards = rewards
        self.texts = {}
        self.left_by = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.left_by = kind

    def hand_in(self, index, text):
        self.texts[index] = text

    def collect(self, any_rank):
        return [SimpleNamespace(reward=reward) for reward in self.rewards]


def rollout_of(completions, rewards, **options):
    batch = Batch(rewards)
    opened = []
    desk = SimpleNamespace(open=lambda *place: opened.append(place) or batch)
    engine = Scripted(completions, batch)
    rollout = EngineRollout({ROW.prompt: ROW}, desk, Sampling(4), lambda trainer: engine, **options)
    trainer = SimpleNamespace(
        processing_class=WORDS,
        state=SimpleNamespace(global_step=4),
        accelerator=SimpleNamespace(process_index=1),
        chat_template_kwargs={},
    )
    prompts = [as_prompt(WORDS, ROW)] * len(rewards)
    return lambda: rollout(prompts, trainer), engine, batch, opened


def test_each_completion_is_handed_in_before_the_next_one_ends_and_all_come_back_in_order():
    texts = WORDS.convert_tokens_to_ids
    run, engine, batch, opened = rollout_of(
        [Completion(1, [texts("7"), 1], "stop"), Completion(0, [texts("8"), texts("9")], "length")],
        [0.5, 1.0],
    )
    output = run()
    assert engine.handed_in == [[], [1]]
    assert batch.texts == {1: "7", 0: "89"}
    assert output["completion_ids"] == [[texts("8"), texts("9")], [texts("7"), 1]]
    assert [one.reward for one in output["judged"]] == [0.5, 1.0]
    assert output["logprobs"] is None and "env_mask" not in output
    # Step 5, and the first row of the second rank.
    assert opened == [(5, 2, [ROW, ROW])]


def test_the_tokens_of_a_row_without_a_reward_are_masked():
    run, *_ = rollout_of([Completion(0, [9, 1], "stop"), Completion(1, [9, 9, 1], "stop")], [0.5, None])
    assert run()["env_mask"] == [[1, 1], [0, 0, 0]]


def test_the_tokens_of_a_completion_that_was_cut_off_are_masked_where_the_spec_says_so():
    cut_off, ended = Completion(0, [9, 9], "length"), Completion(1, [9, 1], "stop")
    run, *_ = rollout_of([cut_off, ended], [0.5, 0.5], mask_truncated=True)
    output = run()
    assert output["env_mask"] == [[0, 0], [1, 1]]
    # Its reward stays in the mean of the group.
    assert [one.reward for one in output["judged"]] == [0.5, 0.5]
    run, *_ = rollout_of([cut_off, ended], [0.5, 0.5])
    assert "env_mask" not in run()


def test_log_probabilities_of_an_engine_that_samples_elsewhere_are_handed_on():
    run, *_ = rollout_of([Completion(0, [9, 1], "stop", [-0.5, -0.1])], [0.5])
    assert run()["logprobs"] == [[-0.5, -0.1]]


def test_an_engine_that_fails_leaves_no_call_open():
    run, engine, batch, _ = rollout_of([], [0.5])

    def failing(prompts, sampling):
        yield Completion(0, [9, 1], "stop")
        raise RuntimeError("out of memory")

    engine.generate = failing
    with pytest.raises(RuntimeError, match="out of memory"):
        run()
    assert batch.left_by is RuntimeError
