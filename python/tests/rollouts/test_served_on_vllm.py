"""The engine `served` in front of the real vLLM: what its adapters and log-probabilities are."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from policy_server import publish_endpoint
from tiny_run import make_model
from transformers import AutoModelForCausalLM

from gavel_train.rollouts.adapters import save_adapter
from gavel_train.rollouts.engine import Completion, Sampling
from gavel_train.rollouts.served import ServedEngine

pytestmark = pytest.mark.slow

# Longer than a block of vLLM's prefix cache, so that a second version could find blocks of the first.
PROMPT = [2, *[30 + number % 60 for number in range(200)], 3]
SAMPLING = Sampling(16, stop_ids=frozenset({1}), seed=1)
# Both sides compute in float32; different kernels add in another order.
BOUND = 1e-4


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """The policy's folder, and a function that gives its weights one of several adapters."""
    # vLLM's attention on the CPU takes no smaller heads.
    folder = make_model(tmp_path_factory.mktemp("vllm") / "model", head_dim=32)
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    lora = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")).eval()

    def version(seed: int):
        torch.manual_seed(seed)
        for name, weight in lora.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.5)
        return lora

    return folder, version


@pytest.fixture(scope="module")
def engine(policy, tmp_path_factory):
    folder, _ = policy
    work = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint_file, log = work / "policy-0.json", work / "vllm.log"
    publish_endpoint(endpoint_file, port)
    flags = {"--model": folder, "--served-model-name": "policy", "--host": "127.0.0.1", "--port": port}
    flags |= {"--dtype": "float32", "--generation-config": "vllm", "--logprobs-mode": "processed_logprobs"}
    flags |= {"--max-lora-rank": 8, "--max-loras": 2, "--max-cpu-loras": 2, "--stream-interval": 1000000}
    flags |= {"--block-size": 32, "--max-model-len": 256}
    switches = ["--enable-lora", "--enforce-eager", "--no-enable-chunked-prefill"]
    words = [str(word) for pair in flags.items() for word in pair]
    settings = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", "VLLM_CPU_KVCACHE_SPACE": "1"}
    settings |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    settings |= {"CUDA_VISIBLE_DEVICES": "", "VLLM_NO_USAGE_STATS": "1"}
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "gavel_train.serving.vllm", *words, *switches],
            env=os.environ | settings,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
        )
    sampler = ServedEngine([endpoint_file], away_limit_s=60)
    try:
        wait_for(server, f"http://127.0.0.1:{port}/health", log)
        yield sampler
    finally:
        sampler.close()
        # The end of its standard input ends it and its engine.
        assert server.stdin is not None
        server.stdin.close()
        server.wait(30)


def wait_for(server: subprocess.Popen, url: str, log: Path) -> None:
    deadline = time.monotonic() + 240
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.2)


def worst_difference(lora, found: list[Completion], temperature: float = 1.0) -> float:
    """The largest difference between the sampler's log-probabilities and those of the weights, nats."""
    worst = 0.0
    for one in found:
        with torch.no_grad():
            logits = lora(torch.tensor([PROMPT + one.token_ids])).logits[0].float() / temperature
        near = logits.log_softmax(-1)[len(PROMPT) - 1 : -1]
        own = near.gather(1, torch.tensor([one.token_ids]).T)[:, 0]
        assert one.logprobs is not None
        worst = max(worst, (own - torch.tensor(one.logprobs)).abs().max().item())
    return worst


def test_each_version_samples_with_the_log_probabilities_of_its_own_weights(engine, policy, tmp_path):
    _, version = policy
    seen = []
    for step in range(3):
        lora = version(seed=step)
        engine.publish(save_adapter(lora, tmp_path, step=step, epoch=1), keep=0)
        found = sorted(engine.generate([PROMPT] * 8, SAMPLING), key=lambda one: one.index)
        assert [one.index for one in found] == list(range(8))
        assert worst_difference(lora, found) < BOUND
        assert len({tuple(one.token_ids) for one in found}) > 1
        seen.append(found[0].token_ids)
    assert seen[0] != seen[1]


def test_a_reused_name_and_folder_is_answered_from_prefixes_of_the_older_weights(engine, policy, tmp_path):
    """What makes a name of its own necessary; shows, too, that the test above could fail."""
    _, version = policy
    lora = version(seed=7)
    adapter = save_adapter(lora, tmp_path, step=7, epoch=1)
    engine.publish(adapter, keep=0)
    assert worst_difference(lora, list(engine.generate([PROMPT] * 4, SAMPLING))) < BOUND
    engine.publish(replace(adapter, name="policy-other"), keep=0)
    lora = version(seed=8)
    engine.publish(save_adapter(lora, tmp_path, step=7, epoch=1), keep=0)
    assert worst_difference(lora, list(engine.generate([PROMPT] * 4, SAMPLING))) > 10 * BOUND


def test_a_temperature_is_in_the_log_probabilities_as_it_is_in_the_trainer_s(engine, policy, tmp_path):
    _, version = policy
    lora = version(seed=5)
    engine.publish(save_adapter(lora, tmp_path, step=5, epoch=1), keep=0)
    found = list(engine.generate([PROMPT] * 4, replace(SAMPLING, temperature=0.7)))
    assert worst_difference(lora, found, temperature=0.7) < BOUND


def test_more_prompts_than_a_batch_has_room_for_are_sampled(engine, policy, tmp_path):
    """The build for the CPU dies where it computes a prompt in parts and the request has a seed."""
    _, version = policy
    engine.publish(save_adapter(version(seed=6), tmp_path, step=6, epoch=1), keep=0)
    prompts = [[2, *[30 + (number + shift) % 60 for number in range(200)], 3] for shift in range(24)]
    assert len(list(engine.generate(prompts, SAMPLING))) == len(prompts)
