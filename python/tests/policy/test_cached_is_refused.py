from types import SimpleNamespace

import pytest
from rollout_models import make

from gavel_train.policy.choose_rollout import check_cached
from gavel_train.run.outcome import BadRequest


def trainer(*, fsdp=False, zero_stage=None, kinds=None):
    model = make("qwen3")
    if kinds:
        model.config.layer_types = kinds
    plugin = SimpleNamespace(zero_stage=zero_stage)
    return SimpleNamespace(
        model=model,
        is_fsdp_enabled=fsdp,
        is_deepspeed_enabled=zero_stage is not None,
        accelerator=SimpleNamespace(state=SimpleNamespace(deepspeed_plugin=plugin)),
    )


@pytest.mark.parametrize("sharded", [trainer(fsdp=True), trainer(zero_stage=3)], ids=["fsdp", "zero-3"])
def test_sharded_weights_are_refused_with_what_to_do(sharded):
    with pytest.raises(BadRequest, match=r"sharded; .*use grpo\.rollout vllm_colocate"):
        check_cached(sharded)


def test_a_kind_of_model_that_cannot_be_sampled_is_refused_by_field():
    with pytest.raises(BadRequest, match=r"grpo\.rollout cached: .*linear_attention"):
        check_cached(trainer(kinds=["linear_attention"]))


def test_whole_weights_are_taken_also_with_zero_2():
    check_cached(trainer())
    check_cached(trainer(zero_stage=2))
