import json

import pytest
from tiny_run import make_root, write_request


@pytest.fixture
def pinned(tmp_path):
    """A request whose policy and base are hub models."""
    from gavel_train.contracts import StageRequest

    path = write_request(make_root(tmp_path), "sft", 1) / "request.json"
    request = json.loads(path.read_text())
    for role, commit in (("policy", "a" * 40), ("base", "b" * 40)):
        request["models"][role] = {"path": f"owner/{role}", "revision": commit}
    return StageRequest.model_validate(request)


def test_hub_models_are_loaded_at_the_commit_that_the_spec_pins(pinned, monkeypatch):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from gavel_train.grader import train
    from gavel_train.policy import model
    from gavel_train.run.outcome import BadRequest

    asked = []

    def load(path, *, revision=None, **_):
        asked.append((path, revision))
        raise OSError("no network")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", load)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", load)
    policy, base = ("owner/policy", "a" * 40), ("owner/base", "b" * 40)
    for loading in (
        lambda: model.load_tokenizer(pinned),
        lambda: model.load_policy(pinned),
        lambda: model.load_checkpoint(pinned, None),
        lambda: train.load_tokenizer(pinned.models.base),
    ):
        with pytest.raises(BadRequest):
            loading()
    with pytest.raises(OSError, match="no network"):
        train._load_model(pinned.models.base, pinned.spec.sft)
    assert asked == [policy, policy, policy, base, base]
