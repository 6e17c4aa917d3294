"""The time of a step in the estimate of a run: predicted where it can be, and why not where it cannot."""

from pathlib import Path

import pytest
import yaml
from test_step_time import SHAPE
from tiny_run import resolved_spec

from gavel_train.contracts import FitRequest, FitStepTime, Spec
from gavel_train.fit.needs import training_of
from gavel_train.fit.report import _ASSUMED_PROMPT_TOKENS
from gavel_train.fit.shape import Shape, UnknownShape, from_config
from gavel_train.fit.step_estimate import step_estimate

ON_GPUS = {"judge_gpus": 1, "rollout_gpus": 1, "trainer_gpus": 1, "grader_gpus": 1}
LORA = {"r": 8, "alpha": 16, "dropout": 0.0, "target_modules": "all-linear"}
SERVED = {"rollout": "served", "lora": LORA, "prompts_per_step": 8, "num_generations": 8}


def estimate(gpu_name=None, judge=SHAPE, placement=ON_GPUS, lengths=(None, None), **grpo) -> FitStepTime:
    serve = {"serve": {"max_model_len": 1024}}
    spec = Spec.model_validate(
        resolved_spec(grpo=grpo, placement=placement, policy=serve, judge=serve, grader=serve, base=serve)
    )
    request = request_for(gpu_name, lengths)
    return step_estimate(spec, request, training_of(spec, SHAPE, 16), judge)


def request_for(gpu_name: str | None, lengths: tuple[int | None, int | None]) -> FitRequest:
    located = {"path": "model", "revision": None}
    return FitRequest.model_validate(
        {
            "machine": {"node": "n1", "memory_bytes": 2**30, "gpu_bytes": []},
            "hub_cache": "/nowhere",
            "models": {"policy": located, "judge": located, "base": located},
            "gpu_name": gpu_name,
            "completion_tokens": lengths[0],
            "reply_tokens": lengths[1],
        }
    )


def seconds(found: FitStepTime) -> dict[str, float]:
    return {one.name: one.seconds for one in found.phases}


def test_with_staleness_1_a_step_takes_the_longer_of_sampling_with_judging_and_training():
    in_turn = estimate("H100", **SERVED)
    ahead = estimate("H100", max_staleness=1, **SERVED)
    parts = seconds(in_turn)
    assert seconds(ahead) == parts
    assert in_turn.seconds == pytest.approx(sum(parts.values()), abs=0.002)
    sampled = parts["rollout"] + parts["judge, after the rollout"]
    assert ahead.seconds == pytest.approx(max(sampled, parts["update"]), abs=0.002)


def test_shorter_texts_take_less_time():
    long = seconds(estimate("H100", max_completion_tokens=512, **SERVED))
    short = seconds(estimate("H100", lengths=(64, 8), max_completion_tokens=512, **SERVED))
    assert short["rollout"] <= long["rollout"]
    assert short["judge, after the rollout"] < long["judge, after the rollout"]
    # The update pads every row to the longest.
    assert short["update"] == long["update"]


@pytest.mark.parametrize(
    "given, why",
    [
        ({"gpu_name": None}, "no rates of the GPUs"),
        ({"gpu_name": "Radeon"}, "no rates of Radeon"),
        ({"gpu_name": "H100", "rollout": "transformers"}, "grpo.rollout transformers is not modelled"),
        ({"gpu_name": "H100", "judge": UnknownShape("no config.json")}, "no config.json"),
        ({"placement": {}, "dtype": "bfloat16"}, "on the CPU only float32"),
    ],
)
def test_what_cannot_be_predicted_says_why(given, why):
    found = estimate(**given)
    assert found.seconds is None
    assert why in found.note


def test_a_judge_that_gavel_does_not_serve_is_left_out_and_that_is_said():
    (judge,) = [one for one in estimate("H100", judge=None, **SERVED).phases if "judge" in one.name]
    assert judge.seconds == 0
    assert "not in the sum" in judge.how


# Of the models of examples/gsm8k-8xh100.yaml, from their published configs.
POLICY = {
    "hidden_size": 2048,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 6144,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
}
JUDGE = {
    "hidden_size": 3584,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "intermediate_size": 18944,
    "vocab_size": 152064,
}


def sizes(config: dict, *, normed: bool) -> Shape:
    hidden, ffn = config["hidden_size"], config["intermediate_size"]
    head = config.get("head_dim", hidden // config["num_attention_heads"])
    queries, keys = (head * config[name] for name in ("num_attention_heads", "num_key_value_heads"))
    linear = {"q_proj": (queries, hidden), "k_proj": (keys, hidden), "v_proj": (keys, hidden)}
    linear |= {"o_proj": (hidden, queries), "gate_proj": (ffn, hidden), "up_proj": (ffn, hidden)}
    linear |= {"down_proj": (hidden, ffn)} | ({"q_norm": (head,)} if normed else {})
    tensors = {
        f"model.layers.{at}.{name}.weight": (size, 2)
        for at in range(config["num_hidden_layers"])
        for name, size in linear.items()
    }
    tensors |= {"embed_tokens.weight": ((config["vocab_size"], hidden), 2)}
    if not config.get("tie_word_embeddings"):
        tensors |= {"lm_head.weight": ((config["vocab_size"], hidden), 2)}
    return from_config(config, tensors)


def test_the_seconds_in_the_example_of_eight_gpus_are_those_of_the_estimate():
    text = (Path(__file__).parents[3] / "examples" / "gsm8k-8xh100.yaml").read_text()
    given = yaml.safe_load(text)
    policy, judge = sizes(POLICY, normed=True), sizes(JUDGE, normed=False)

    def predict(placement: dict | None = None, **grpo) -> FitStepTime:
        changed = given | {"grpo": given["grpo"] | grpo, "placement": given["placement"] | (placement or {})}
        spec = Spec.model_validate(changed)
        # The hub's prompts are not here: the length that `gavel fit` assumes then.
        training = training_of(spec, policy, _ASSUMED_PROMPT_TOKENS)
        return step_estimate(spec, request_for("H100", (250, 250)), training, judge)

    found = predict()
    rollout, judged, update = (f"{one.seconds:.1f} s" for one in found.phases)
    assert f"# A GRPO step takes {found.seconds:.1f} s: rollout {rollout} and then {judged} until" in text
    assert f"beside an update of {update}." in text
    assert f"with 0 a step takes {predict(max_staleness=0).seconds:.1f} s" in text
    six = predict(
        {"rollout_gpus": 0, "trainer_gpus": 6}, rollout="cached", max_staleness=0, processes=6
    ).seconds
    assert f"with cached on six GPUs a step takes {six:.1f} s" in text
    page = (Path(__file__).parents[3] / "docs" / "rollouts.md").read_text()
    for seconds_of in (found.seconds, predict(max_staleness=0).seconds, six):
        assert f"{seconds_of:.1f} s" in page
