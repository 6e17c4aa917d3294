"""The model of a step's time against values worked out by hand."""

import pytest

from gavel_train.contracts import LoraSpec
from gavel_train.fit.judge_queue import last_verdict_s, lengths
from gavel_train.fit.machines import of_cpu, of_gpu
from gavel_train.fit.roofline import Rates, Work, seconds
from gavel_train.fit.shape import from_config
from gavel_train.fit.step_time import Queue, served_queue, step_time
from gavel_train.fit.step_work import Texts, served_rollout, update
from gavel_train.fit.training import Training

RATES = Rates(flops_per_s=100.0, bytes_per_s=10.0, kernel_s=0.5, step_s=0.0)
CONFIG = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 512,
}
LINEAR = {
    "self_attn.q_proj": (64, 64),
    "self_attn.k_proj": (32, 64),
    "self_attn.v_proj": (32, 64),
    "self_attn.o_proj": (64, 64),
    "mlp.gate_proj": (128, 64),
    "mlp.up_proj": (128, 64),
    "mlp.down_proj": (64, 128),
}
SHAPE = from_config(
    CONFIG,
    {"model.embed_tokens.weight": ((512, 64), 4)}
    | {f"model.layers.{at}.{name}.weight": (size, 4) for at in range(2) for name, size in LINEAR.items()},
)


def test_each_kind_of_work_takes_the_longer_of_arithmetic_and_memory():
    # 3 s of arithmetic beside 1 s of memory, 2 s of memory beside 1 s of arithmetic.
    work = [Work("one", flops=300, bytes=10), Work("other", flops=100, bytes=20)]
    assert seconds(work, RATES) == 5


def test_launches_add_where_nothing_runs_meanwhile_and_count_alone_where_they_are_longer():
    work = [Work("small", flops=100, kernels=8)]
    assert seconds(work, RATES) == 1 + 4
    ahead = Rates(100.0, 10.0, 0.5, 0.0, launches_ahead=True)
    assert seconds(work, ahead) == 4


def test_the_last_verdict_follows_the_list_schedule():
    # Two slots of 3 s: completions at 0, 0, 1 and 5 are answered at 3, 3, 6 and 8.
    assert last_verdict_s([5, 0, 1, 0], slots=2, service_s=3) == 8
    # One slot answers them one after the other.
    assert last_verdict_s([0, 0, 1, 5], slots=1, service_s=3) == 12
    # A judge that takes no time is done with the last completion.
    assert last_verdict_s([0, 0, 1, 5], slots=1, service_s=0) == 5


@pytest.mark.parametrize("mean", [5, 20, 60, 99])
def test_lengths_have_the_mean_that_was_asked_for_and_none_is_longer_than_the_limit(mean):
    found = lengths(1000, mean, 100)
    assert sum(found) / 1000 == pytest.approx(mean, rel=0.01)
    assert max(found) <= 100
    assert found == sorted(found)


def test_completions_that_all_reach_the_limit_have_its_length():
    assert lengths(4, 100, 100) == pytest.approx([100] * 4, rel=1e-3)


TEXTS = Texts(prompts=1, rows=2, prompt_tokens=8, tokens=16, longest=16)


@pytest.mark.parametrize(
    "staleness, update_s, expected",
    [
        # Rollout 4, one call of 3 after the other from its end: verdicts at 7 and 10.
        (0, 2, 12),
        (1, 2, 10),
        (1, 20, 20),
    ],
)
def test_with_staleness_1_the_longer_of_sampling_and_training_counts(staleness, update_s, expected):
    time = step_time(
        rollout=4, update=update_s, queue=Queue(1, 3), rows=2, texts=TEXTS, max_staleness=staleness
    )
    assert time.step_s == pytest.approx(expected, rel=1e-3)
    assert time.judge_s == pytest.approx(6, rel=1e-3)


def test_a_served_judge_answers_all_calls_in_the_time_of_its_work_and_none_sooner_than_alone():
    # 40 calls in 10 s, one by itself in 2 s: eight at once.
    work, alone = [Work("all", flops=1000)], [Work("one", flops=200)]
    assert served_queue(40, work, alone, RATES, slots=64) == Queue(8, 2)
    assert last_verdict_s([0] * 40, slots=8, service_s=2) == 10
    # Fewer at once are not answered faster than the work allows.
    assert served_queue(40, work, alone, RATES, slots=4) == Queue(4, 1)


def training(**changes) -> Training:
    given = {"prompt_tokens": 8, "completion_tokens": 8, "rows": 4, "micro_batch": 4, "num_generations": 2}
    return Training(**({"shape": SHAPE, "mixed": False, "checkpointing": False} | given | changes))


def linear_flops(of: Training) -> float:
    return next(work for work in update(of) if work.name == "linear layers").flops


def test_a_trained_layer_costs_three_forward_passes_and_checkpointing_one_more():
    # q 64x64, k and v 32x64, o 64x64, gate, up and down 128x64, in two layers.
    parameters = 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 128 * 64)
    one_pass = 2 * parameters * 4 * 16
    assert linear_flops(training()) == 3 * one_pass
    # The down projections of 64x128 are not repeated: nothing saved follows them.
    last = 2 * (2 * 64 * 128) * 4 * 16
    assert linear_flops(training(checkpointing=True)) == 4 * one_pass - last
    # The ratio of the trainer's probabilities to the sampler's takes one more.
    assert linear_flops(training(rollout="served")) == 4 * one_pass


def test_beside_an_adapter_the_weights_cost_two_forward_passes():
    lora = LoraSpec(r=4, alpha=8, dropout=0.0, target_modules="all-linear")
    adapted = training(lora=lora)
    parameters = 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 128 * 64)
    assert linear_flops(adapted) == 2 * 4 * 16 * (2 * parameters + 3 * adapted.trained)


def test_a_server_computes_whole_blocks_of_a_prompt_once_for_its_group():
    def prompts(block: int) -> float:
        texts = Texts(prompts=1, rows=4, prompt_tokens=33, tokens=1, longest=1)
        found = served_rollout(SHAPE, texts, 4, block=block, gathers_adapters=False)
        return next(work for work in found if work.name == "prompts").flops

    # Of 33 tokens two blocks of 16 are shared by four completions, or no block of 128.
    assert prompts(16) * (4 * 33) == pytest.approx(prompts(128) * (2 * 16 + 4 * 1))


def test_a_gpu_is_known_by_its_name_and_an_unknown_one_has_no_rates():
    h100, pcie = of_gpu("NVIDIA H100 80GB HBM3"), of_gpu("NVIDIA H100 PCIe")
    assert h100 is not None and pcie is not None
    assert h100.trainer.flops_per_s > pcie.trainer.flops_per_s
    assert of_gpu("Radeon") is None


def test_a_processor_that_was_not_measured_has_no_rates(tmp_path):
    assert of_cpu("some processor", tmp_path / "none.json") is None
    measured = tmp_path / "measured.json"
    rates = '{"flops_per_s": 1.0, "bytes_per_s": 2.0, "kernel_s": 3.0, "step_s": 4.0}'
    measured.write_text(
        f'{{"processor": "P", "source": "here", "trainer": {rates}, "cached": {rates}, "vllm": {rates}}}'
    )
    assert of_cpu("another", measured) is None
    found = of_cpu("P", measured)
    assert found is not None
    assert found.trainer == Rates(1.0, 2.0, 3.0, 4.0)
