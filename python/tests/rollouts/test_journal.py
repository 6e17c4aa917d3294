import threading

import pytest

from gavel_train.contracts import JournalEntry
from gavel_train.rollouts import journal as module
from gavel_train.rollouts.journal import Journal, prune_journal, read_journal


def entry(step: int, group: int = 0, rollout: int = 0, tokens=(5, 1), age: int = 0) -> JournalEntry:
    return JournalEntry(
        step=step,
        group=group,
        rollout=rollout,
        prompt_id="p",
        adapter=f"policy-v{step - 1 - age:06d}.e1",
        adapter_step=step - 1 - age,
        adapter_sha256="ab" * 32,
        token_ids=list(tokens),
        logprobs=[-0.1] * len(tokens),
        ended="stop",
    )


def epoch(tmp_path, number: int):
    folder = tmp_path / "epochs" / f"{number:06d}"
    folder.mkdir(parents=True)
    return folder


def write(folder, entries, step=0) -> None:
    journal = Journal(folder, 0, step)
    for one in entries:
        journal.write(one, lambda: None)
    journal.close()
    assert journal.failed is None


def test_what_was_written_is_read_again_by_the_next_epoch_and_not_by_its_own(tmp_path):
    write(epoch(tmp_path, 1), [entry(1), entry(2, 1, 3)])
    found = read_journal(tmp_path, before_epoch=2, after_step=0, save_every=10)
    assert found == {(1, 0, 0): entry(1), (2, 1, 3): entry(2, 1, 3)}
    assert read_journal(tmp_path, before_epoch=1, after_step=0, save_every=10) == {}
    assert list(read_journal(tmp_path, before_epoch=2, after_step=1, save_every=10)) == [(2, 1, 3)]
    of_group_0 = read_journal(
        tmp_path, before_epoch=2, after_step=0, save_every=10, is_mine=lambda group, rollout: group == 0
    )
    assert list(of_group_0) == [(1, 0, 0)]


def test_of_two_epochs_the_newer_one_counts(tmp_path):
    write(epoch(tmp_path, 1), [entry(1, tokens=(7, 1)), entry(2, age=1)])
    write(epoch(tmp_path, 2), [entry(1, tokens=(8, 1))])
    found = read_journal(tmp_path, before_epoch=3, after_step=0, save_every=10)
    assert found[1, 0, 0].token_ids == [8, 1]
    assert (2, 0, 0) in found


def test_what_an_attempt_sampled_of_a_policy_that_a_newer_one_left_does_not_count(tmp_path):
    # Epoch 2 sampled step 5 anew, so its weights after step 5 are others than those of epoch 1.
    old, newer = epoch(tmp_path, 1), epoch(tmp_path, 2)
    write(old, [entry(4), entry(5), entry(6, age=1), entry(7, age=1), entry(7, 1, age=1), entry(8, age=1)])
    write(newer, [entry(5, tokens=(8, 1)), entry(7, age=1)])
    found = read_journal(tmp_path, before_epoch=3, after_step=3, save_every=10)
    # Step 6 was sampled ahead, after step 4, where both still had the same weights.
    assert sorted(found) == [(4, 0, 0), (5, 0, 0), (6, 0, 0), (7, 0, 0)]
    assert found[5, 0, 0].token_ids == [8, 1]


@pytest.mark.parametrize("committed", [5, 6, 7])
def test_nor_does_it_where_the_newer_attempt_has_committed_the_step_since(tmp_path, committed):
    old, newer = epoch(tmp_path, 1), epoch(tmp_path, 2)
    write(old, [entry(step, age=1) for step in (4, 5, 6, 7, 8, 9)])
    write(newer, [entry(step, age=1) for step in (5, *range(7, committed + 1))])
    found = read_journal(tmp_path, before_epoch=3, after_step=committed, save_every=10)
    assert sorted(step for step, _, _ in found) == ([6] if committed == 5 else [])


@pytest.mark.parametrize("damage", ["cut", "altered", "no contract"])
def test_a_damaged_line_does_not_count_and_its_neighbours_do(tmp_path, damage):
    folder = epoch(tmp_path, 1)
    write(folder, [entry(1), entry(2), entry(3)])
    (path,) = folder.glob("journal-*")
    lines = path.read_bytes().splitlines(keepends=True)
    if damage == "cut":
        lines[2] = lines[2][:-5]
    elif damage == "altered":
        lines[2] = lines[2].replace(b'"step":3', b'"step":4')
    else:
        body = b'{"step":3}'
        lines[2] = b"%08x %s\n" % (module.zlib.crc32(body), body)
    path.write_bytes(b"".join(lines))
    assert [step for step, _, _ in read_journal(tmp_path, before_epoch=2, after_step=0, save_every=10)] == [
        1,
        2,
    ]


def test_an_entry_is_on_the_disk_before_what_follows_is_called(tmp_path, monkeypatch):
    folder = epoch(tmp_path, 1)
    synced: list[int] = []
    real = module.os.fsync
    monkeypatch.setattr(module.os, "fsync", lambda fd: synced.append(fd) or real(fd))
    seen: list[bool] = []
    done = threading.Event()
    journal = Journal(folder, 0, 0)

    def then():
        on_disk = b"".join(path.read_bytes() for path in folder.glob("journal-*"))
        seen.append(b'"step":1' in on_disk and len(synced) > 0)
        done.set()

    journal.write(entry(1), then)
    assert done.wait(10)
    journal.close()
    assert seen == [True]


def test_a_disk_that_fails_is_said_and_nothing_follows(tmp_path, monkeypatch):
    def full(fd):
        raise OSError(28, "No space left on device")

    journal = Journal(epoch(tmp_path, 1), 0, 0)
    called: list[int] = []
    monkeypatch.setattr(module.os, "fsync", full)
    journal.write(entry(1), lambda: called.append(1))
    journal.close()
    assert isinstance(journal.failed, OSError) and called == []


def test_segments_go_once_no_attempt_can_resume_from_before_their_end(tmp_path):
    old, own, newer = epoch(tmp_path, 1), epoch(tmp_path, 2), epoch(tmp_path, 3)
    write(old, [entry(1)], step=0)
    write(own, [entry(11)], step=10)
    write(own, [entry(21)], step=20)
    write(newer, [entry(1)], step=0)
    prune_journal(tmp_path, up_to_epoch=2, oldest_resume=20, save_every=10)
    names = sorted(f"{path.parent.name}/{path.name}" for path in (tmp_path / "epochs").glob("*/journal-*"))
    # The segment from step 10 may hold step 21, sampled ahead, which a resume at 20 needs.
    assert names == [
        "000002/journal-0-000010.jsonl",
        "000002/journal-0-000020.jsonl",
        "000003/journal-0-000000.jsonl",
    ]
