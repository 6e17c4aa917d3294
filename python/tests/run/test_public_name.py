from pathlib import Path

import pytest
from tiny_run import take_epoch, write_request

from gavel_train.run import public_name
from gavel_train.run.directory import Superseded, check_not_published, publish_result
from gavel_train.run.outcome import read_request
from gavel_train.run.public_name import give_public_name


def made_by(request, kind: str) -> Path:
    made = Path(request.root) / f"runs/tiny/sft/epochs/{request.epoch:06d}/made"
    text = f"of epoch {request.epoch}"
    if kind == "file":
        made.write_text(text)
    else:
        made.mkdir()
        (made / "weights").write_text(text)
    return made


def content(path: Path) -> str:
    return (path / "weights" if path.is_dir() else path).read_text()


@pytest.fixture(params=["folder", "file"])
def publishers(request, tmp_path):
    """The request of epoch 1; what publishes as epoch 2 does, result and all; the public name."""
    target = tmp_path / "runs/tiny/grader"

    def newer():
        second = read_request(write_request(tmp_path, "sft", 2), "sft")
        give_public_name(second, made_by(second, request.param), target)
        publish_result(second, step=1, checkpoint=None, metrics={}, artifacts={"grader": target})

    first = read_request(write_request(tmp_path, "sft", 1), "sft")
    return first, made_by(first, request.param), newer, target


def stall_after_check(monkeypatch, number: int, meanwhile) -> None:
    """Let `meanwhile` happen between the given look at the newest epoch and what follows it."""
    looks = []

    def check(stage_dir, epoch):
        check_not_published(stage_dir, epoch)
        looks.append(epoch)
        if looks == [1] * number:
            meanwhile()

    monkeypatch.setattr(public_name, "check_not_published", check)


def test_what_a_newer_epoch_publishes_while_this_one_stalls_stays_where_it_is(publishers, monkeypatch):
    first, made, newer, target = publishers
    stall_after_check(monkeypatch, 1, newer)
    with pytest.raises(Superseded):
        give_public_name(first, made, target)
    assert content(target) == "of epoch 2"
    assert content(made) == "of epoch 1"
    assert list((target.parent / "quarantine").iterdir()) == []


def test_the_name_is_not_taken_from_a_newer_epoch_after_the_last_look_either(publishers, monkeypatch):
    first, made, newer, target = publishers
    left = target.parent / "sft/left"
    made.rename(left)
    give_public_name(first, left, target)
    again = made_by(first, "folder" if target.is_dir() else "file")
    stall_after_check(monkeypatch, 2, newer)
    with pytest.raises(Superseded, match="meanwhile"):
        give_public_name(first, again, target)
    assert content(target) == "of epoch 2"


def test_what_an_ended_epoch_left_there_goes_to_quarantine_and_is_replaced(publishers):
    first, made, newer, target = publishers
    give_public_name(first, made, target)
    newer()
    assert content(target) == "of epoch 2"
    kept = [path for path in (target.parent / "quarantine").iterdir() if path.suffix != ".json"]
    assert [content(path) for path in kept] == ["of epoch 1"]


def test_a_superseded_epoch_moves_nothing(publishers):
    first, made, newer, target = publishers
    newer()
    take_epoch(target.parent, "sft", 3)
    with pytest.raises(Superseded):
        give_public_name(first, made, target)
    assert content(target) == "of epoch 2"
    assert not (target.parent / "quarantine").exists()
