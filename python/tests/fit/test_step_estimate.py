"""The time of a step in the estimate of a run: predicted where it can be, and why not where it cannot."""

import pytest
from test_step_time import SHAPE
from tiny_run import resolved_spec

from gavel_train.contracts import FitRequest, FitStepTime, Spec
from gavel_train.fit.needs import training_of
from gavel_train.fit.shape import UnknownShape
from gavel_train.fit.step_estimate import step_estimate

ON_GPUS = {"judge_gpus": 1, "rollout_gpus": 1, "trainer_gpus": 1, "grader_gpus": 1}
LORA = {"r": 8, "alpha": 16, "dropout": 0.0, "target_modules": "all-linear"}
SERVED = {"rollout": "served", "lora": LORA, "prompts_per_step": 8, "num_generations": 8}


def estimate(gpu_name=None, judge=SHAPE, placement=ON_GPUS, lengths=(None, None), **grpo) -> FitStepTime:
    located = {"path": "model", "revision": None}
    serve = {"serve": {"max_model_len": 1024}}
    spec = Spec.model_validate(
        resolved_spec(grpo=grpo, placement=placement, policy=serve, judge=serve, grader=serve, base=serve)
    )
    request = FitRequest.model_validate(
        {
            "machine": {"node": "n1", "memory_bytes": 2**30, "gpu_bytes": []},
            "hub_cache": "/nowhere",
            "models": {"policy": located, "judge": located, "base": located},
            "gpu_name": gpu_name,
            "completion_tokens": lengths[0],
            "reply_tokens": lengths[1],
        }
    )
    return step_estimate(spec, request, training_of(spec, SHAPE, 16), judge)


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
