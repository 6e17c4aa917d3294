import json
import threading
import time
from itertools import pairwise

import pytest
import torch
from peft import LoraConfig, get_peft_model
from policy_server import serving
from tiny_run import make_model
from transformers import AutoModelForCausalLM

from gavel_train.rollouts import served
from gavel_train.rollouts.adapters import adapter_name, save_adapter
from gavel_train.rollouts.engine import Sampling
from gavel_train.rollouts.replica import ReplicaRefused
from gavel_train.rollouts.served import ServedEngine
from gavel_train.run.outcome import PolicyAway

SAMPLING = Sampling(8, stop_ids=frozenset({1}), seed=3)
PROMPTS = [[2, 40, 41, 3]] * 4 + [[2, 50, 3]] * 4


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("policy") / "model")


@pytest.fixture(scope="module")
def lora(model):
    torch.manual_seed(1)
    config = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), config)
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.3)
    return adapted.eval()


@pytest.fixture
def publish(lora, tmp_path):
    return lambda engine, step, keep=0: engine.publish(
        save_adapter(lora, tmp_path / "adapters", step=step, epoch=1), keep=keep
    )


@pytest.fixture
def engine_of():
    engines = []

    def make(servers, away_limit_s=20.0):
        engines.append(ServedEngine([one.endpoint_file for one in servers], away_limit_s=away_limit_s))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def test_yields_each_row_once_with_the_log_probabilities_of_the_adapter(
    model, lora, tmp_path, engine_of, publish
):
    with serving(model, tmp_path / "endpoints", servers=2) as servers:
        engine = engine_of(servers)
        publish(engine, 0)
        found = sorted(engine.generate(PROMPTS, SAMPLING), key=lambda one: one.index)
    assert [one.index for one in found] == list(range(8))
    for one in found:
        ids = torch.tensor([PROMPTS[one.index] + one.token_ids])
        with torch.no_grad():
            near = lora(ids).logits[0].float().log_softmax(-1)
        expected = [
            near[len(PROMPTS[one.index]) - 1 + at, token].item() for at, token in enumerate(one.token_ids)
        ]
        assert one.logprobs == pytest.approx(expected, abs=1e-5)
        assert (one.ended == "stop") == (one.token_ids[-1] == 1)
    # A group is one request, and the groups are spread over the servers.
    assert [[body["n"] for body in one.server.asked] for one in servers] == [[4], [4]]


def test_gives_each_version_a_name_of_its_own_and_unloads_old_ones_on_every_server(
    model, tmp_path, engine_of, publish
):
    with serving(model, tmp_path / "endpoints", servers=2) as servers:
        engine = engine_of(servers)
        for step in range(4):
            publish(engine, step, keep=1)
        for one in servers:
            assert one.server.calls == [
                "+policy-v000000.e1",
                "+policy-v000001.e1",
                "-policy-v000000.e1",
                "+policy-v000002.e1",
                "-policy-v000001.e1",
                "+policy-v000003.e1",
            ]
            assert sorted(one.server.loaded) == ["policy-v000002.e1", "policy-v000003.e1"]
    assert adapter_name(3, 1) != adapter_name(3, 2)


def test_loads_the_adapter_again_onto_a_server_that_was_started_again(model, tmp_path, engine_of, publish):
    with serving(model, tmp_path / "endpoints") as (one,):
        engine = engine_of([one])
        publish(engine, 0)
        one.stop()
        one.start()
        assert len(list(engine.generate(PROMPTS, SAMPLING))) == 8
        assert one.server.calls == ["+policy-v000000.e1"] * 2


def test_keeps_what_has_ended_and_asks_for_the_rest_when_a_server_dies(model, tmp_path, engine_of, publish):
    with serving(model, tmp_path / "endpoints", servers=2) as servers:
        engine = engine_of(servers)
        publish(engine, 0)
        died = threading.Event()

        def die(request, number):
            if number == 2 and not died.is_set():
                died.set()
                raise ConnectionError

        servers[0].server.before = die
        found = list(engine.generate(PROMPTS[:4], SAMPLING))
        assert died.is_set()
        assert sorted(one.index for one in found) == [0, 1, 2, 3]
        asked = [body for one in servers for body in one.server.asked]
        assert [body["n"] for body in asked] == [4, 2]
        # The same seed would draw the completions again that are there already.
        assert asked[0]["seed"] != asked[1]["seed"]


def test_draws_the_same_seeds_for_a_step_and_others_for_the_next(model, tmp_path, engine_of, publish):
    with serving(model, tmp_path / "endpoints") as (one,):
        engine = engine_of([one])
        publish(engine, 0)
        for seed in (3, 3, 4):
            list(engine.generate(PROMPTS, Sampling(8, stop_ids=frozenset({1}), seed=seed)))
        seeds = [body["seed"] for body in one.server.asked]
    first, again, other = (set(seeds[at : at + 2]) for at in (0, 2, 4))
    assert first == again
    assert not first & other
    assert all(len({a, b}) == 2 for a, b in pairwise(sorted(first | other)))


def test_gives_up_with_policy_away_once_no_server_has_answered_for_the_limit(
    model, tmp_path, engine_of, publish
):
    with serving(model, tmp_path / "endpoints", servers=2) as servers:
        engine = engine_of(servers, away_limit_s=1.0)
        publish(engine, 0)
        for one in servers:
            one.stop()
        with pytest.raises(PolicyAway, match="no server of the policy has answered for"):
            list(engine.generate(PROMPTS, SAMPLING))


@pytest.fixture
def quick_health_checks(monkeypatch):
    monkeypatch.setattr(served, "_HEALTH_TIMEOUT_S", 0.2)
    monkeypatch.setattr(served, "_HEALTH_INTERVAL_S", 0.1)
    monkeypatch.setattr(served, "_AWAY_S", 0.1)


def test_a_server_that_neither_ends_nor_answers_counts_as_away_until_it_goes_on(
    model, tmp_path, engine_of, publish, quick_health_checks
):
    with serving(model, tmp_path / "endpoints") as (one,):
        engine = engine_of([one])
        publish(engine, 0)
        stream = engine.generate(PROMPTS, SAMPLING)
        first = next(stream)
        assert engine.away_s == 0
        one.server.goes_on.clear()
        rest = []
        reader = threading.Thread(target=lambda: rest.extend(engine.generate(PROMPTS, SAMPLING)))
        reader.start()
        until(lambda: engine.away_s > 0.3)
        assert not rest
        one.server.goes_on.set()
        reader.join(20)
        assert len(rest) == 8
        assert engine.away_s == 0
        assert len([first, *stream]) == 8


def test_a_publication_reports_that_it_waits_for_a_server_and_ends_with_a_notice(
    model, tmp_path, engine_of, publish, quick_health_checks, monkeypatch
):
    said, notice = [], threading.Event()
    monkeypatch.setattr(served.progress, "waiting", lambda what, seconds: said.append(what))
    monkeypatch.setattr(served.lifetime, "stop_requested", notice.is_set)
    with serving(model, tmp_path / "endpoints") as (one,):
        engine = engine_of([one])
        one.server.goes_on.clear()
        publication = threading.Thread(target=publish, args=(engine, 0))
        publication.start()
        until(lambda: said == ["policy"])
        assert publication.is_alive()
        notice.set()
        publication.join(10)
        assert not publication.is_alive()


def until(look) -> None:
    deadline = time.monotonic() + 20
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_raises_at_once_what_a_server_refuses(model, tmp_path, engine_of, publish, monkeypatch):
    with serving(model, tmp_path / "endpoints") as (one,):
        engine = engine_of([one])
        # As vLLM says it: 500, by a server that is well.
        refused = 500, "LoRA rank 64 is greater than max_lora_rank"
        monkeypatch.setattr(one.server, "load", lambda body: refused)
        with pytest.raises(ReplicaRefused, match=r"policy-v000000.e1: HTTP 500: LoRA rank 64"):
            publish(engine, 0)


def test_a_server_that_never_knows_the_adapter_counts_as_away(
    model, tmp_path, engine_of, publish, monkeypatch
):
    with serving(model, tmp_path / "endpoints") as (one,):
        engine = engine_of([one], away_limit_s=1.0)
        publish(engine, 0)
        one.server.loaded.clear()
        monkeypatch.setattr(one.server, "load", lambda body: (400, "has already been loaded"))
        with pytest.raises(PolicyAway, match=r"policy-v000000\.e1"):
            list(engine.generate(PROMPTS, SAMPLING))


@pytest.mark.parametrize(
    "change, said",
    [
        (
            {"base_url": "http://elsewhere.example/v1"},
            "only beside a base_url on this machine, found elsewhere",
        ),
        ({}, "Expected the key of a model server in .*secret, found another text"),
    ],
)
def test_sends_a_key_only_to_this_machine_and_only_one_that_gavel_made(
    model, tmp_path, engine_of, publish, change, said
):
    secret = tmp_path / "secret"
    secret.write_text("not a key of gavel")
    with serving(model, tmp_path / "endpoints") as (one,):
        engine = engine_of([one], away_limit_s=0.5)
        named = json.loads(one.endpoint_file.read_text()) | {"api_key_file": str(secret)} | change
        one.endpoint_file.write_text(json.dumps(named))
        publish(engine, 0)
        with pytest.raises(PolicyAway, match=said):
            list(engine.generate(PROMPTS, SAMPLING))
        assert one.server.calls == []
