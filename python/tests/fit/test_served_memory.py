from dataclasses import replace

import pytest
from shapes import config_of, shape_of_config

from gavel_train.contracts import FitMachine, ServeSpec
from gavel_train.fit.needs import served_need
from gavel_train.fit.served import CPU_CACHE_BYTES, served

SHAPE = shape_of_config(config_of(hidden=64, layers=2, heads=4, key_heads=2, ffn=128, vocabulary=1000))
GIB = 2**30


def serve(**fields) -> ServeSpec:
    return ServeSpec.model_validate({"dtype": "bfloat16", "max_model_len": 512} | fields)


def parts(made) -> dict[str, int]:
    return {part.name: part.bytes for part in made.parts}


def machine(*gpus: int, memory: int = 64 * GIB) -> FitMachine:
    return FitMachine(node="n1", memory_bytes=memory, gpu_bytes=list(gpus))


def test_a_gpu_holds_its_share_of_the_weights_and_the_cache_of_one_sequence():
    whole = parts(served(SHAPE, serve(), on_gpu=True))
    assert whole["weights"] == SHAPE.parameters * 2
    # Keys and values of two layers, two heads of 16.
    assert whole["KV cache"] == 512 * 2 * 2 * 32 * 2
    half = parts(served(SHAPE, serve(tensor_parallel_size=2), on_gpu=True))
    assert (half["weights"], half["KV cache"]) == (whole["weights"] // 2, whole["KV cache"] // 2)
    # Two key heads cannot be shared by four.
    assert parts(served(SHAPE, serve(tensor_parallel_size=4), on_gpu=True))["KV cache"] == half["KV cache"]


def test_auto_halves_fp32_and_keeps_what_is_stored_in_less():
    assert parts(served(SHAPE, serve(dtype="auto"), on_gpu=True))["weights"] == SHAPE.parameters * 2
    small = replace(SHAPE, stored_bytes=SHAPE.parameters)
    assert parts(served(small, serve(dtype="auto"), on_gpu=True))["weights"] == SHAPE.parameters
    assert parts(served(SHAPE, serve(dtype="float32"), on_gpu=True))["weights"] == SHAPE.parameters * 4


def test_a_model_without_a_limit_has_the_context_of_its_config():
    assert served(SHAPE, serve(max_model_len=None), on_gpu=True).context == 4096


def test_a_judge_that_is_larger_than_a_gpu_is_refused_with_more_gpus_as_the_change():
    large = replace(SHAPE, parameters=30 * 10**9, heads=32)
    need = served_need("judge", "grpo", serve(gpu_memory_utilization=0.5), large, machine(80 * GIB), 1)
    assert need.available_bytes == 40 * GIB
    assert need.verdict == "too_large"
    assert need.changes[0].field == "judge.serve.tensor_parallel_size"
    assert (need.changes[0].value, need.changes[0].fits) == ("2 and placement.judge_gpus 2", True)


def test_flags_that_change_the_room_make_it_unknown():
    large = replace(SHAPE, parameters=60 * 10**9)
    quantized = serve(extra_args=["--quantization", "bitsandbytes"])
    assert served_need("judge", "grpo", quantized, large, machine(80 * GIB), 1).verdict == "unknown"


def test_a_context_that_the_cache_of_a_cpu_server_cannot_hold_is_refused():
    # 256 KiB a token: 4,096 tokens fill 1 GiB exactly.
    deep = replace(SHAPE, layers=256, key_heads=8, head_size=32)
    assert deep.kv_per_token * 2 == 2**18
    fits = served_need("base", "audit", serve(max_model_len=4096), deep, machine(), 0)
    assert fits.verdict == "fits"
    need = served_need("base", "audit", serve(max_model_len=4097), deep, machine(), 0)
    assert need.verdict == "too_large"
    assert (need.changes[0].field, need.changes[0].value) == ("base.serve.max_model_len", "4096")
    # Layers over a window keep less than is computed here.
    windowed = replace(deep, full_attention=False)
    assert (
        served_need("base", "audit", serve(max_model_len=4097), windowed, machine(), 0).verdict == "unknown"
    )


@pytest.mark.parametrize(
    "change, said",
    [
        ({"quantized": True}, "its weights are quantized"),
        ({"experts": True}, "its layers have experts"),
        ({"full_attention": False}, "its layers do not all attend to all tokens"),
    ],
)
def test_a_model_that_has_no_formula_is_refused_nowhere(change, said):
    large = replace(SHAPE, parameters=600 * 10**9, **change)
    need = served_need("judge", "grpo", serve(), large, machine(80 * GIB), 1)
    assert need.verdict == "unknown"
    assert said in (need.note or "")


@pytest.mark.parametrize("gpus", [0, 1])
def test_memory_that_is_unknown_refuses_nothing(gpus):
    large = replace(SHAPE, parameters=600 * 10**9)
    need = served_need("judge", "grpo", serve(), large, machine(0, memory=2**50), gpus)
    assert need.verdict == ("unknown" if gpus else "fits")
    if not gpus:
        assert need.parts[-1].bytes == CPU_CACHE_BYTES
