import importlib.util
import sys

import pytest

from gavel_train.contracts import PromptRow
from gavel_train.run.outcome import BadRequest
from gavel_train.tasks import reasoning_gym

INSTALLED = importlib.util.find_spec("reasoning_gym") is not None
needs_package = pytest.mark.skipif(
    not INSTALLED, reason="NO reasoning-gym: pip install reasoning-gym==0.1.25; its data sets are not tested"
)
SIZES = {"train": 6, "eval": 3, "audit": 3}
SUMS = {"dataset": "chain_sum", "config": {"max_terms": 3, "max_digits": 2}}


def made(tmp_path, params=SUMS, sizes=SIZES, seed=0):
    splits = reasoning_gym.make_splits(params, sizes, seed, tmp_path)
    return {split: [PromptRow.model_validate(row) for row in rows] for split, rows in splits.items()}


@needs_package
def test_problems_are_made_by_index_and_no_prompt_is_in_two_splits(tmp_path):
    splits = made(tmp_path)
    assert {split: len(rows) for split, rows in splits.items()} == SIZES
    prompts = [row.prompt for rows in splits.values() for row in rows]
    assert len(set(prompts)) == len(prompts) and splits == made(tmp_path)
    # The package seeds an entry by seed + index: those of the next seed must not be the same ones, shifted.
    assert not set(prompts) & {row.prompt for rows in made(tmp_path, seed=1).values() for row in rows}


@needs_package
def test_the_data_sets_own_scorer_reads_what_stands_in_the_last_tags(tmp_path):
    verifier = reasoning_gym.verifier_of(SUMS)
    for row in made(tmp_path)["train"]:
        right = verifier.right_answer(row.ground_truth)
        assert verifier.check(f"<answer>x</answer> no: {right}", row) == (1.0, row.ground_truth)
        assert verifier.check(row.ground_truth, row) == (0.0, None)
        assert verifier.check("<answer>-7</answer>", row).value < 1


@needs_package
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "'dataset' to be a data set of reasoning-gym, got None; known: .*chain_sum"),
        ({"dataset": "chain_sums"}, "got 'chain_sums'"),
        (SUMS | {"config": {"min_terms": 0}}, "'config' to suit chain_sum.*must be positive"),
        (SUMS | {"config": {"colour": 1}}, "'config' to suit chain_sum"),
        (SUMS | {"config": {"seed": 1}}, "without seed and size"),
        (SUMS | {"size": 3}, "no parameter 'size'"),
        (SUMS | {"instruction": 3}, "'instruction' to be text"),
    ],
)
def test_params_of_no_use_are_named(tmp_path, params, message):
    with pytest.raises(ValueError, match=message):
        made(tmp_path, params)


@needs_package
def test_a_data_set_with_too_few_problems_names_the_split(tmp_path):
    tiny = {"dataset": "chain_sum", "config": {"max_terms": 2, "min_digits": 1, "max_digits": 1}}
    with pytest.raises(ValueError, match="Split 'train' cannot be filled: 300 distinct prompts wanted"):
        made(tmp_path, tiny, {"train": 300, "eval": 0, "audit": 0})


@needs_package
def test_a_scorer_that_fails_names_data_set_and_row(tmp_path, monkeypatch):
    (row, *_) = made(tmp_path)["train"]
    verifier = reasoning_gym.verifier_of(SUMS)
    data_set = verifier._made(0)
    for said, message in ((1 / 3 + 1, "gave 1.3"), (None, "raised TypeError")):
        monkeypatch.setattr(data_set, "score_answer", lambda answer, entry, said=said: said)
        with pytest.raises(BadRequest, match=rf"The scorer of chain_sum {message}.* row {row.id}"):
            verifier.check("<answer>1</answer>", row)


def test_without_the_package_the_command_that_installs_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(BadRequest, match=r"-m pip install reasoning-gym==0\.1\.25`") as error:
        reasoning_gym.verifier_of(SUMS)
    assert error.value.field == "task.name"
