from dataclasses import replace

import pytest
from shapes import config_of, shape_of_config

from gavel_train.contracts import LoraSpec
from gavel_train.fit.activations import saved_per_token
from gavel_train.fit.sharing import sharing_of
from gavel_train.fit.trainer import TILE_TOKENS, TILE_VOCABULARY, Moment, moments, peak
from gavel_train.fit.training import Training

SHAPE = shape_of_config(config_of(hidden=64, layers=2, heads=4, key_heads=2, ffn=128, vocabulary=1000))
# Tied embedding 1000 x 64; a layer: q 64 x 64, k and v 32 x 64, o 64 x 64, mlp 3 x 128 x 64, two norms of 64,
# head norms of 16 and 16; a last norm of 64.
LAYER = 64 * 64 + 2 * 32 * 64 + 64 * 64 + 3 * 128 * 64 + 2 * 64 + 2 * 16
PARAMETERS = 1000 * 64 + 2 * LAYER + 64

FULL = Training(
    shape=SHAPE,
    prompt_tokens=10,
    completion_tokens=6,
    rows=8,
    micro_batch=4,
    num_generations=4,
    mixed=False,
    checkpointing=True,
    on_gpu=True,
)


def parts(moment: Moment) -> dict[str, int]:
    return {part.name: part.bytes for part in moment.parts}


def at(training: Training, name: str) -> dict[str, int]:
    return parts(next(moment for moment in moments(training) if moment.name == name))


def test_parameters_are_those_of_the_model():
    assert SHAPE.parameters == PARAMETERS


def test_full_training_keeps_sixteen_bytes_a_parameter_and_a_tile_of_the_logits():
    assert at(FULL, "backward pass through the logits") == {
        "weights": 4 * PARAMETERS,
        "optimizer": 8 * PARAMETERS,
        "gradients": 4 * PARAMETERS,
        "checkpointed activations": 2 * 4 * 16 * 64 * 4,
        # On a GPU the completions alone, in a buffer of full width; the gradient is the tied weight's.
        "logits": 4 * 6 * 32768 * 4,
        "gradient of the head": 1000 * 64 * 4,
    }


def test_the_cpu_computes_the_logits_of_all_tokens_with_temporaries_beside_them():
    on_cpu = replace(FULL, on_gpu=False)
    tile = 4 * 16 * 1000 * 4
    assert at(on_cpu, "forward pass")["logits"] == 4 * tile
    assert at(on_cpu, "backward pass through the logits")["logits"] == 8.25 * tile


def test_logits_take_no_more_than_the_tile_of_this_trl():
    from trl.kernels.chunked_logprob import TOKEN_CHUNK_SIZE
    from trl.trainer.utils import _CHUNKED_LOGPROB_CHUNK_SIZE

    assert (TILE_TOKENS, TILE_VOCABULARY) == (TOKEN_CHUNK_SIZE, _CHUNKED_LOGPROB_CHUNK_SIZE)
    long = replace(FULL, mixed=True, completion_tokens=10_000)
    assert at(long, "forward pass")["logits"] == TILE_TOKENS * TILE_VOCABULARY * 2


def test_a_single_pass_has_no_gradients_of_an_earlier_one_beside_its_logits():
    single = replace(FULL, rows=4)
    assert "gradients" not in at(single, "backward pass through the logits")
    assert at(single, "end of the backward pass")["gradients"] == 4 * PARAMETERS


def test_tied_weights_get_two_gradients_and_their_sum():
    tied = at(FULL, "end of the backward pass")["gradient of the embedding"]
    assert tied == 3 * 1000 * 64 * 4
    apart = replace(FULL, shape=replace(SHAPE, tied=False))
    assert at(apart, "end of the backward pass")["gradient of the embedding"] == 1000 * 64 * 4


def test_an_adapter_alone_has_gradients_and_optimizer():
    lora = LoraSpec(r=8)
    # q, k, v, o, gate, up, down of two layers: r x (outputs + inputs).
    adapter = 2 * 8 * (2 * (64 + 64) + 2 * (32 + 64) + 3 * (128 + 64))
    found = at(replace(FULL, lora=lora, mixed=True), "backward pass through the logits")
    assert (found["weights"], found["adapter"]) == (2 * PARAMETERS, 4 * adapter)
    assert (found["optimizer"], found["gradients"]) == (8 * adapter, 4 * adapter)
    only_q = LoraSpec(r=8, target_modules=["q_proj"])
    assert SHAPE.adapter_parameters(only_q.r, only_q.target_modules) == 2 * 8 * (64 + 64)


def test_a_kl_term_needs_a_second_model_unless_the_adapter_can_be_left_out():
    assert at(replace(FULL, reference=True), "rollout")["reference model"] == 4 * PARAMETERS
    assert "reference model" not in at(replace(FULL, reference=True, lora=LoraSpec(r=8)), "rollout")


def test_the_rollout_caches_each_prompt_once_and_room_for_each_completion():
    # Two groups; keys and values of two layers of two heads of 16.
    cached = at(FULL, "rollout")["KV cache"]
    assert cached == (2 * 10 + 8 * 6) * 2 * 2 * 32 * 4
    # Room is made for 128 tokens and doubled: 300 tokens have it at once.
    longer = at(replace(FULL, completion_tokens=300), "rollout")["KV cache"]
    assert longer == (2 * 10 + 8 * 300) * 2 * 2 * 32 * 4
    copied = at(replace(FULL, rollout="transformers"), "rollout")["KV cache"]
    assert copied == 8 * (10 + 6) * 2 * 2 * 32 * 4
    assert "KV cache" not in at(replace(FULL, rollout="vllm_server"), "rollout")


def test_mixed_precision_copies_the_weights_that_it_multiplies():
    linear = 2 * (LAYER - 2 * 64 - 2 * 16) + 1000 * 64
    mixed = replace(FULL, mixed=True)
    assert at(mixed, "rollout")["bf16 copies of weights"] == 2 * linear
    # In the update the head's copy is made a tile at a time.
    in_layers = linear - 1000 * 64
    assert at(mixed, "forward pass")["bf16 copies of weights"] == 2 * in_layers
    # With checkpoints a layer's copies go with the layer.
    assert "bf16 copies of weights" not in at(mixed, "backward pass through the logits")
    kept = at(replace(mixed, checkpointing=False), "backward pass through the logits")
    assert kept["bf16 copies of weights"] == 2 * in_layers


@pytest.mark.parametrize(
    ("sharding", "args", "weights", "optimizer", "gradients", "buckets"),
    [
        ("ddp", [], 1, 1, 1, True),
        ("fsdp2", [], 4, 4, 4, False),
        ("fsdp2", ["--fsdp_reshard_after_forward=false"], 1, 4, 4, False),
        ("fsdp2", ["--fsdp-offload-params", "true"], 4, None, 4, False),
        ("zero3", [], 4, 4, 4, False),
        ("zero2", [], 1, 4, 4, False),
        ("zero2", ["--offload-optimizer-device", "cpu"], 1, None, 4, False),
    ],
)
def test_ranks_share_out_what_the_spec_says(sharding, args, weights, optimizer, gradients, buckets):
    found = at(replace(FULL, ranks=4, sharing=sharing_of(sharding, args)), "end of the backward pass")
    assert found["weights"] == 4 * PARAMETERS // weights
    assert found.get("optimizer") == (None if optimizer is None else 8 * PARAMETERS // optimizer)
    assert found["gradients"] == 4 * PARAMETERS // gradients
    assert found.get("gradient buckets") == (4 * PARAMETERS if buckets else None)


def test_the_peak_is_the_largest_moment():
    assert peak(FULL).bytes == max(moment.bytes for moment in moments(FULL))
    assert peak(replace(FULL, completion_tokens=600)).name == "backward pass through the logits"
    assert (
        peak(replace(FULL, prompt_tokens=600, checkpointing=False, rows=4)).name == "backward pass of a layer"
    )


def test_the_cpu_adds_what_malloc_keeps_and_the_libraries():
    found = peak(replace(FULL, on_gpu=False))
    assert parts(found).keys() >= {"kept by malloc", "libraries"}
    assert not parts(peak(FULL)).keys() & {"kept by malloc", "libraries"}


@pytest.mark.parametrize("model_type", ["qwen3", "llama"])
@pytest.mark.parametrize("mixed", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("lora", [None, LoraSpec(r=4)], ids=["full", "lora"])
def test_a_layer_saves_for_its_backward_pass_what_the_formula_says(model_type, mixed, lora):
    from saved_by_autograd import saved_bytes

    config = config_of(hidden=128, layers=2, heads=4, key_heads=2, ffn=320, vocabulary=96)
    config["model_type"] = model_type
    shape = shape_of_config(config)
    training = replace(FULL, shape=shape, mixed=mixed, lora=lora, prompt_tokens=60, completion_tokens=4)
    counted = saved_bytes(config, rows=4, tokens=64, mixed=mixed, lora=lora)
    assert saved_per_token(training) == pytest.approx(counted, rel=0.06)
