import json

import pytest
from tiny_run import resolved_spec

from gavel_train.contracts import FitRequest, PromptRow, Spec
from gavel_train.fit.report import longest_prompt, read_report, report_of
from gavel_train.fit.weigh import changes, largest_micro_batch, verdict_of
from gavel_train.policy.trl_config import batch_sizes
from gavel_train.run import prepare

GIB = 2**30
GRPO = {"prompts_per_step": 8, "num_generations": 8, "max_completion_tokens": 512}
LORA = {"r": 16, "alpha": 32, "dropout": 0.0, "target_modules": "all-linear"}
# Qwen3-1.7B's own figures.
LARGE = {
    "hidden_size": 2048,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 6144,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
    "max_position_embeddings": 40960,
    "model_type": "qwen3",
    "architectures": ["Qwen3ForCausalLM"],
}


@pytest.fixture
def large(tmp_path):
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "config.json").write_text(json.dumps(LARGE))
    return tmp_path / "large"


def request(model, *gpus: int, memory: int = 64 * GIB) -> FitRequest:
    located = {"path": str(model), "revision": None}
    return FitRequest.model_validate(
        {
            "machine": {"node": "n1", "memory_bytes": memory, "gpu_bytes": list(gpus)},
            "hub_cache": "/nowhere",
            "models": {"policy": located, "judge": None, "base": located},
        }
    )


def spec_of(placement: dict, **grpo) -> Spec:
    serve = {"serve": {"max_model_len": 4096}}
    sections = {"grader": serve, "base": {"model": "large", **serve}}
    return Spec.model_validate(resolved_spec(grpo=GRPO | grpo, placement=placement, **sections))


ON_GPU = {"judge_gpus": 0, "trainer_gpus": 1, "grader_gpus": 1}


def test_what_cannot_fit_names_the_field_to_change_and_the_sum(large):
    report = report_of(spec_of(ON_GPU, micro_batch_size=64), request(large, 32 * GIB), None)
    assert report.verdict == "too_large"
    (problem,) = report.problems
    assert problem.field == "grpo.micro_batch_size"
    # The inputs of 28 layers, 64 x (256 + 512) tokens of 2048 numbers in fp32.
    assert "checkpointed activations 10.5 GiB" in problem.message
    assert "node n1 has 32.0 GiB of a GPU" in problem.message
    need = next(need for need in report.needs if need.stage == "grpo")
    assert need.bytes == sum(part.bytes for part in need.parts)


def test_null_takes_the_largest_micro_batch_that_fits_on_a_gpu(large):
    report = report_of(spec_of(ON_GPU), request(large, 80 * GIB), None)
    assert report.verdict == "fits"
    # 1.72e9 x 16 bytes, 1.2e9 of the head's gradient and 1.1e9 of CUDA; of each of 768 tokens of a completion
    # 28 x 8192 bytes of checkpoints and 290,000 of the layer that is recomputed: 29.8 + 64 x 0.40 = 55.4 GB
    # is below 85.9 / 1.2.
    assert report.micro_batch_size == 64
    # 29.8 + 8 x 0.40 = 33.0 GB is below 42.9 / 1.2, and 29.8 + 16 x 0.40 is not.
    assert report_of(spec_of(ON_GPU), request(large, 40 * GIB), None).micro_batch_size == 8


def test_on_the_cpu_null_stays_a_whole_step(large):
    on_cpu = {"judge_gpus": 0, "trainer_gpus": 0, "grader_gpus": 0}
    report = report_of(spec_of(on_cpu), request(large, memory=32 * GIB), None)
    assert report.micro_batch_size is None
    need = next(need for need in report.needs if need.stage == "grpo")
    assert need.note == "micro batch 64 of 64 completions"
    assert need.verdict == "too_large"


def test_processes_that_fit_alone_but_not_together_are_refused(large):
    placement = {"judge_gpus": 0, "trainer_gpus": 0, "grader_gpus": 0}
    asked = request(large, memory=32 * GIB)
    asked.models.judge = asked.models.policy
    spec = spec_of(placement, lora=LORA, micro_batch_size=1)
    spec.judge.serve.max_model_len = 4096
    roomy = report_of(spec, asked, None)
    assert roomy.problems == []
    together = sum(need.bytes for need in roomy.needs if need.stage == "grpo")
    asked.machine.memory_bytes = int(together / 1.21)
    report = report_of(spec, asked, None)
    assert all(need.verdict != "too_large" for need in report.needs)
    (problem,) = [problem for problem in report.problems if "at once" in problem.message]
    assert "1 x judge" in problem.message and "1 x trainer" in problem.message


def test_the_servers_that_sample_rollouts_are_weighed_and_the_trainer_keeps_no_cache(large):
    placement = ON_GPU | {"rollout_gpus": 2}
    spec = spec_of(placement, rollout="served", lora=LORA, dtype="bfloat16", micro_batch_size=1)
    spec.policy.serve = spec.policy.serve.model_copy(update={"data_parallel_size": 2, "max_model_len": 4096})
    report = report_of(spec, request(large, 80 * GIB), None)
    policy = next(need for need in report.needs if need.what == "policy")
    assert (policy.stage, policy.device, policy.copies) == ("grpo", "gpu", 2)
    # Served in the precision that it is trained in: 1.72e9 x 2 bytes.
    assert next(part for part in policy.parts if part.name == "weights").bytes == pytest.approx(
        3.44e9, rel=0.01
    )
    trainer = next(need for need in report.needs if need.what == "trainer" and need.stage == "grpo")
    assert "KV cache" not in {part.name for part in trainer.parts}


def test_a_vllm_of_trl_is_weighed_where_it_is(large):
    serve = {"max_model_len": 4096, "gpu_memory_utilization": 0.4}

    def needs(rollout: str, placement: dict) -> dict:
        spec = spec_of(placement, rollout=rollout, dtype="bfloat16", micro_batch_size=1)
        spec.policy.serve = spec.policy.serve.model_copy(update=serve)
        report = report_of(spec, request(large, 80 * GIB), None)
        return {need.what: need for need in report.needs if need.stage == "grpo"}

    server = needs("vllm_server", ON_GPU | {"rollout_gpus": 1})
    assert (server["policy"].device, server["policy"].copies) == ("gpu", 1)
    assert "vLLM inside" not in {part.name for part in server["trainer"].parts}
    inside = needs("vllm_colocate", ON_GPU)
    assert "policy" not in inside
    share = next(part for part in inside["trainer"].parts if part.name == "vLLM inside")
    assert share.bytes == int(0.4 * 80 * GIB)


def test_gpus_whose_memory_is_unknown_refuse_nothing_and_choose_nothing(large):
    report = report_of(spec_of(ON_GPU), request(large, 0), None)
    assert report.problems == [] and report.micro_batch_size is None
    assert report_of(spec_of(ON_GPU), request(large), None).problems == []


def test_a_model_without_a_readable_config_is_unknown_and_refuses_nothing(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "odd"}')
    for folder in (tmp_path, tmp_path / "absent"):
        report = report_of(spec_of(ON_GPU), request(folder, 80 * GIB), None)
        assert report.verdict == "unknown" and report.problems == []


def test_a_verdict_allows_for_a_fifth_in_both_directions():
    assert [verdict_of(needed, 120) for needed in (100, 101, 144, 145)] == [
        "fits",
        "tight",
        "tight",
        "too_large",
    ]
    assert verdict_of(1, None) == "unknown"


def test_changes_that_fit_come_first_and_those_that_need_more_are_left_out():
    found = changes([("a", "1", 130), ("b", "2", 90), ("c", "3", 80), ("d", "4", 200)], 150, 100)
    assert [(change.field, change.fits) for change in found] == [("b", True), ("c", True), ("a", False)]


def test_the_micro_batch_is_a_divisor_and_at_least_one():
    assert largest_micro_batch(24, lambda size: size * 10, 120) == 8
    assert largest_micro_batch(24, lambda size: 1000, 120) == 1


def test_the_trainer_uses_what_was_chosen_unless_the_spec_says_a_size():
    grpo = Spec.model_validate(resolved_spec(grpo=GRPO)).grpo
    assert batch_sizes(grpo, world_size=1) == (64, 1)
    assert batch_sizes(grpo, world_size=1, fitting=16) == (16, 4)
    said = grpo.model_copy(update={"micro_batch_size": 8})
    assert batch_sizes(said, world_size=1, fitting=16) == (8, 8)


def test_the_longest_prompt_is_counted_in_tokens(tiny_model):
    prompts = [
        PromptRow(id=str(number), prompt="a" * number, ground_truth=None, meta={}) for number in (3, 40)
    ]
    # The tiny tokenizer has a token a character.
    assert longest_prompt(prompts, tiny_model / "tokenizer.json") == 40 + 32
    assert longest_prompt(None, tiny_model / "tokenizer.json") == 256


def test_prepare_writes_the_estimate_where_it_is_asked_for(tmp_path, tiny_model):
    folder = tmp_path / "runs" / "tiny"
    (folder / "data").mkdir(parents=True)
    task = {"name": "poly_easy", "params": {}, "train_prompts": 20, "eval_prompts": 10, "audit_prompts": 5}
    (folder / "spec.json").write_text(json.dumps(resolved_spec(task=task)))
    prepare.main(folder, tmp_path)
    assert read_report(folder) is None
    (folder / "fit-request.json").write_text(request(tiny_model).model_dump_json())
    prepare.main(folder, tmp_path)
    report = read_report(folder)
    assert report is not None and report.verdict == "fits"
    # An estimate that fails keeps no run from starting.
    (folder / "fit.json").unlink()
    (folder / "fit-request.json").write_text("{}")
    prepare.main(folder, tmp_path)
    assert read_report(folder) is None


def test_the_grader_trains_in_bfloat16_on_gpus_and_in_float32_elsewhere_unless_the_spec_says(large):
    def weights(placement: dict, **sft) -> str:
        serve = {"serve": {"max_model_len": 4096}}
        sections = {"grader": serve, "base": {"model": "large", **serve}, "sft": sft}
        spec = Spec.model_validate(resolved_spec(grpo=GRPO, placement=placement, **sections))
        report = report_of(spec, request(large, 80 * GIB), None)
        (need,) = [need for need in report.needs if need.stage == "sft"]
        return next(part.how for part in need.parts if part.name == "weights")

    on_cpu = {"judge_gpus": 0, "trainer_gpus": 0, "grader_gpus": 0}
    assert weights(ON_GPU).endswith("x 2 bytes")
    assert weights(ON_GPU, dtype="float32").endswith("x 4 bytes")
    assert weights(on_cpu).endswith("x 4 bytes")
    assert weights(on_cpu, dtype="bfloat16").endswith("x 2 bytes")
