"""Runs the SFT stage in this process on the tiny run, with a gateway that only renders."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from conftest import KEY, FakeGateway
from tiny_run import write_request

PYTHON = Path(__file__).resolve().parents[1]
# Dropout draws random numbers in every step: a resumed run has to go on in the same stream.
SETTINGS = {"lora": {"r": 4, "alpha": 8, "dropout": 0.1, "target_modules": "all-linear"}}


@contextmanager
def ready(folder: Path) -> Iterator[None]:
    """Inside, requests find the gateway of stage sft, and torch has one thread, as bit equality needs."""
    os.environ["GAVEL_API_KEY"] = KEY
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    gateway = FakeGateway(folder, stage="sft")
    request.gateway_url = gateway.url
    try:
        yield
    finally:
        gateway.stop()
        torch.set_num_threads(threads)


def request(root: Path, epoch: int, **options) -> Path:
    return write_request(root, "sft", epoch, **({"gateway_url": request.gateway_url} | options))


def train(epoch_dir: Path, die_after: str | None = None) -> list[tuple[str, dict]]:
    """Run the stage here and return what it reported; `die_after` a commit, it ends there as by kill -9."""
    from gavel_train.contracts import StageRequest
    from gavel_train.grader.train import main
    from gavel_train.run import progress

    said: list[tuple[str, dict]] = []

    class Killed(BaseException):
        pass

    def report(line):
        said.append((line.event, line.model_dump()))
        if line.event == "commit" and line.checkpoint == die_after:
            raise Killed

    # A process starts with random numbers of its own: nothing may depend on them.
    torch.manual_seed(time.time_ns() % 2**31)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "_emit", report)
        try:
            main(StageRequest.model_validate_json((epoch_dir / "request.json").read_bytes()), epoch_dir)
        except Killed:
            assert die_after
    return said


def weights(folder: Path, name: str = "adapter_model.safetensors") -> bytes:
    return (folder / name).read_bytes()
