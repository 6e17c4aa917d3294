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


def test_each_rank_loads_a_4_bit_base_onto_its_own_gpu(pinned, monkeypatch):
    from transformers import AutoModelForCausalLM

    from gavel_train.grader import train

    placed = []
    monkeypatch.setattr(
        AutoModelForCausalLM,
        "from_pretrained",
        lambda *_, device_map=None, quantization_config=None, **__: placed.append(
            (device_map, quantization_config.load_in_4bit if quantization_config else False)
        ),
    )
    spec = pinned.spec.sft.model_copy(update={"qlora": True})
    for rank in ("0", "3"):
        monkeypatch.setenv("LOCAL_RANK", rank)
        train._load_model(pinned.models.base, spec)
    # Whole weights are moved by the trainer, once it knows its device.
    train._load_model(pinned.models.base, pinned.spec.sft)
    assert placed == [({"": 0}, True), ({"": 3}, True), (None, False)]


def test_each_rank_samples_on_its_own_gpu_also_where_no_trainer_has_chosen_it(monkeypatch):
    import torch

    from gavel_train.policy.model import device_of

    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of() == torch.device("cuda", 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of() == torch.device("cpu")
