"""What TRL and the engines are told of a spec."""

import pytest
from tiny_run import resolved_spec, tokenizer

from gavel_train.contracts import Spec
from gavel_train.policy.trl_config import trl_config
from gavel_train.rollouts.engine import Sampling, sampling_for

SAMPLING = {"top_p": 0.9, "top_k": 20, "min_p": 0.05, "repetition_penalty": 1.1}


@pytest.fixture
def config(tmp_path):
    """TRL's arguments for a spec whose section grpo has these fields."""
    return lambda **grpo: trl_config(
        Spec.model_validate(resolved_spec(grpo=grpo)), output_dir=tmp_path, run_name="tiny-grpo-e1"
    )


def test_a_spec_that_names_no_sampling_fields_samples_from_the_whole_distribution(config):
    trl = config()
    assert (trl.top_p, trl.top_k, trl.min_p, trl.repetition_penalty) == (1.0, 0, None, 1.0)
    spec = Spec.model_validate(resolved_spec())
    assert sampling_for(tokenizer(), spec.grpo, temperature=0.5) == Sampling(
        max_new_tokens=8, temperature=0.5, stop_ids=frozenset({1})
    )


def test_trl_gets_the_sampling_fields(config):
    trl = config(**SAMPLING)
    assert {name: getattr(trl, name) for name in SAMPLING} == SAMPLING


def test_an_engine_gets_the_sampling_fields_and_the_stop_strings():
    spec = Spec.model_validate(resolved_spec(grpo=SAMPLING | {"stop": ["\n\n", "END"]}))
    assert sampling_for(tokenizer(), spec.grpo, temperature=1.0) == Sampling(
        max_new_tokens=8, stop_ids=frozenset({1}), stop_strings=("\n\n", "END"), **SAMPLING
    )


def test_a_spec_that_names_no_update_fields_gets_the_update_of_before(config):
    trl = config()
    assert (trl.lr_scheduler_type, trl.warmup_steps) == ("constant", 0)
    assert (trl.scale_rewards, trl.loss_type, trl.mask_truncated_completions) == ("group", "dapo", False)


def test_trl_gets_the_fields_of_the_update(config):
    for loss_type in ("grpo", "dr_grpo", "bnpo"):
        assert config(loss_type=loss_type).loss_type == loss_type
    for scale in ("batch", "none"):
        assert config(scale_rewards=scale).scale_rewards == scale


@pytest.mark.parametrize(
    ("schedule", "warmup", "rates"),
    [
        ("constant", 0, [1, 1, 1, 1, 1, 1]),
        ("constant", 2, [0, 0.5, 1, 1, 1, 1]),
        ("linear", 0, [1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]),
        ("linear", 2, [0, 0.5, 1, 0.75, 0.5, 0.25]),
        # Half of 1 + cos of 0, 45, 90 and 135 degrees.
        ("cosine", 2, [0, 0.5, 1, 0.8535534, 0.5, 0.1464466]),
    ],
)
def test_the_learning_rate_of_each_of_six_steps(config, schedule, warmup, rates):
    import torch
    from transformers import get_scheduler

    trl = config(steps=6, lr_schedule=schedule, warmup_steps=warmup, learning_rate=0.1)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=trl.learning_rate)
    scheduler = get_scheduler(
        trl.lr_scheduler_type,
        optimizer,
        num_warmup_steps=trl.get_warmup_steps(trl.max_steps),
        num_training_steps=trl.max_steps,
    )
    found = []
    for _ in rates:
        found.append(scheduler.get_last_lr()[0] / 0.1)
        optimizer.step()
        scheduler.step()
    assert found == pytest.approx(rates, abs=1e-6)


def test_trl_masks_what_was_cut_off_only_where_it_samples_itself(config):
    assert config(mask_truncated_completions=True, rollout="transformers").mask_truncated_completions
    assert not config(mask_truncated_completions=True, rollout="cached").mask_truncated_completions
