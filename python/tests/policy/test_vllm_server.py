"""TRL's server mode asks the server that gavel started, with its key, and nobody else."""

import json
from types import SimpleNamespace

import pytest
import requests
from policy_server import publish_endpoint

from gavel_train.policy.trl_imports import hide_vllm
from gavel_train.run.outcome import PolicyAway

# The client's session alone is tested here, which needs no vLLM; test/e2e/policy-server.test.ts has one.
hide_vllm()

from trl.generation import vllm_generation  # noqa: E402

from gavel_train.policy import vllm_server  # noqa: E402

KEY = "gavel-" + 32 * "k"


@pytest.fixture
def endpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(vllm_generation, "VLLMClient", vllm_generation.VLLMClient)
    monkeypatch.delenv("VLLM_HOST_IP", raising=False)
    file = tmp_path / "endpoints/policy-0.json"
    publish_endpoint(file, 8123)
    (tmp_path / "key").write_text(KEY)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"api_key_file": str(tmp_path / "key")}))
    return file


def test_trl_asks_the_published_server_with_its_key_and_meets_it_on_the_loopback(endpoint, monkeypatch):
    config = SimpleNamespace()
    vllm_server.use_server(config, endpoint, away_limit_s=1)
    assert config.vllm_server_base_url == "http://127.0.0.1:8123"
    assert 1024 <= config.vllm_group_port < 65536
    assert vllm_server.os.environ["VLLM_HOST_IP"] == "127.0.0.1"
    client = object.__new__(vllm_generation.VLLMClient)
    client.session = requests.Session()
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    client.check_server(240)
    assert client.session.headers["Authorization"] == f"Bearer {KEY}"
    assert client.session.trust_env is False


def test_other_ranks_than_the_first_ask_no_server(endpoint, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    config = SimpleNamespace()
    vllm_server.use_server(config, endpoint, away_limit_s=1)
    assert vars(config) == {}


def test_waits_for_the_server_and_says_so_up_to_the_limit(endpoint, monkeypatch, capfd):
    endpoint.unlink()
    monkeypatch.setattr(vllm_server, "_SAY_EVERY_S", 0.2)
    monkeypatch.setattr(vllm_server, "_POLL_S", 0.1)
    with pytest.raises(PolicyAway, match=r"no server of the policy for 0\.5 s: policy-0\.json"):
        vllm_server.use_server(SimpleNamespace(), endpoint, away_limit_s=0.5)
    said = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert {(line["event"], line["for"]) for line in said} == {("waiting", "policy")}
