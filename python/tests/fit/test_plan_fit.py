"""The figure `plan` finds the rates that steps were made with, and predicts what it did not see."""

import pytest
from figures.plan_cases import CHECKED, FITTED, Case, Measured
from figures.plan_fit import fitted, predicted

from gavel_train.fit.machines import Engines
from gavel_train.fit.roofline import Rates
from gavel_train.fit.shape import Shape, from_config

TRUE = Engines(
    Rates(9e10, 6e9, 9e-6, 0.05), Rates(4e10, 5e9, 1e-5, 0.0), Rates(4e10, 5e9, 2e-5, 0.12), "made up"
)


def shape_of(case: Case) -> Shape:
    hidden, layers, heads, key_heads, intermediate, vocabulary = case.model
    size = hidden // heads
    queries, keys = (heads * size, hidden), (key_heads * size, hidden)
    linear = {"q_proj": queries, "k_proj": keys, "v_proj": keys, "o_proj": queries[::-1]}
    linear |= dict.fromkeys(("gate_proj", "up_proj"), (intermediate, hidden))
    linear |= {"down_proj": (hidden, intermediate)}
    config = {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads}
    config |= {"num_key_value_heads": key_heads, "intermediate_size": intermediate, "vocab_size": vocabulary}
    tensors = {f"m.layers.{at}.{name}.weight": (it, 4) for at in range(layers) for name, it in linear.items()}
    return from_config(config, {"embed_tokens.weight": ((vocabulary, hidden), 4)} | tensors)


def made(case: Case, engines: Engines) -> Measured:
    tokens = 0.9 * case.completion
    time = predicted(case, shape_of(case), tokens, engines)
    return Measured(time.rollout_s + time.judge_s + time.update_s, time.rollout_s, time.judge_s, tokens)


def test_steps_that_the_fit_did_not_see_are_predicted_as_they_were_made():
    found = fitted([(case, shape_of(case), made(case, TRUE)) for case in FITTED], "here")
    for case in CHECKED:
        mine, true = (predicted(case, shape_of(case), case.completion, rates) for rates in (found, TRUE))
        assert mine.rollout_s == pytest.approx(true.rollout_s, rel=0.05)
        assert mine.update_s == pytest.approx(true.update_s, rel=0.05)
        assert mine.step_s == pytest.approx(true.step_s, rel=0.05)


def test_no_checked_case_has_the_model_of_a_fitted_one():
    assert len(CHECKED) == 4
    assert not {case.model for case in CHECKED} & {case.model for case in FITTED}
    assert not {(case.prompt, case.completion) for case in CHECKED} & {
        (case.prompt, case.completion) for case in FITTED
    }
    assert {case.rollout for case in CHECKED} == {"cached", "served"}
    assert {case.max_staleness for case in CHECKED} == {0, 1}
