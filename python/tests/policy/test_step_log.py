from gavel_train.contracts import RolloutRecord
from gavel_train.policy.step_log import figures


def record(verifier, hidden=None):
    return RolloutRecord(
        step=1,
        group=0,
        rollout=0,
        prompt_id="p",
        completion="x",
        trace_keys=[],
        verdict="scored",
        score=3,
        value=3.0,
        verifier=verifier,
        hidden_verifier=hidden,
        reward=0.5,
        advantage=0.0,
    )


def test_hidden_truths_have_figures_of_their_own_and_enter_no_other():
    found = figures([record(1.0), record(None, 0.0), record(None, 0.0), record(None)])
    assert found["verifier_accuracy"] == 1.0
    assert found["verifier_accuracy_unlabelled"] == 0.0 and found["unlabelled"] == 0.5


def test_without_hidden_truths_nothing_is_said_of_them():
    assert set(figures([record(1.0), record(None)])) == {
        "reward",
        "verifier_accuracy",
        "judge_value",
        "unscored",
    }
