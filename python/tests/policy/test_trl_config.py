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
    return lambda **grpo: trl_config(Spec.model_validate(resolved_spec(grpo=grpo)), output_dir=tmp_path)


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
