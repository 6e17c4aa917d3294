import json
import random

import pytest
from tiny_run import ledger_line, take_epoch, trace, write_segment

from gavel_train.run.ledger import LedgerError, read_traces, segments


def keys(run_dir, **filters):
    return [t.prompt for t in read_traces(run_dir, **filters)]


def test_all_complete_lines_of_the_newest_epoch_count_and_a_torn_last_line_does_not(tmp_path):
    path = write_segment(tmp_path, "grpo-e1-000001.jsonl", [trace(p, "", 1, "grpo:1:0:0:0") for p in "ab"])
    path.write_bytes(path.read_bytes()[:-20])
    take_epoch(tmp_path, "grpo", 1)
    assert keys(tmp_path) == ["a"]


def test_of_an_older_epoch_only_the_accepted_bytes_count(tmp_path):
    lines = [trace(p, "", 1, "grpo:1:0:0:0") for p in "abc"]
    path = write_segment(tmp_path, "grpo-e1-000001.jsonl", lines)
    two = len(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    write_segment(tmp_path, "grpo-e2-000001.jsonl", [trace("d", "", 1, "grpo:2:0:0:0")])
    take_epoch(tmp_path, "grpo", 1)
    take_epoch(tmp_path, "grpo", 2, {path.name: two})
    assert keys(tmp_path) == ["a", "b", "d"]


def test_what_the_newest_epoch_did_not_accept_is_void_and_so_is_a_later_epoch_that_was_never_taken(tmp_path):
    write_segment(tmp_path, "grpo-e1-000001.jsonl", [trace("a", "", 1, "grpo:1:0:0:0")])
    write_segment(tmp_path, "grpo-e3-000001.jsonl", [trace("c", "", 1, "grpo:1:0:0:0")])
    take_epoch(tmp_path, "grpo", 2)
    assert keys(tmp_path) == []


def test_the_epochs_of_one_stage_say_nothing_about_another(tmp_path):
    take_epoch(tmp_path, "grpo", 2)
    write_segment(tmp_path, "audit-e1-000001.jsonl", [trace("a", "", 1, "audit:r:0", stage="audit")])
    write_segment(tmp_path, "serve-e0-000001.jsonl", [trace("s", "", 1, "call:x:0", stage="serve")])
    assert keys(tmp_path) == ["a", "s"]
    assert keys(tmp_path, stage="serve") == ["s"]


def test_segments_are_read_in_order_of_epoch_and_number_and_seals_are_no_segments(tmp_path):
    for name in ("grpo-e10-000001", "grpo-e2-000010", "grpo-e2-000002"):
        write_segment(tmp_path, f"{name}.jsonl", [])
        (tmp_path / "traces" / f"{name}.seal.json").write_text("{}")
    assert [s.path.stem for s in segments(tmp_path)] == [
        "grpo-e2-000002",
        "grpo-e2-000010",
        "grpo-e10-000001",
    ]


def test_filters_by_role_mode_and_verdict(tmp_path):
    lines = [
        trace("a", "", 1, "grpo:1:0:0:0"),
        trace("b", "", None, "grpo:1:0:0:0"),
        trace("c", "", 2, "grpo:1:0:0:0", role="grader", mode="single_token"),
    ]
    write_segment(tmp_path, "grpo-e1-000001.jsonl", lines)
    assert keys(tmp_path, role="judge", verdict="scored") == ["a"]
    assert keys(tmp_path, mode="single_token") == ["c"]


def test_a_key_that_is_there_twice_is_read_once(tmp_path):
    write_segment(tmp_path, "grpo-e1-000001.jsonl", [trace("a", "", 1, "grpo:1:0:0:0")] * 2)
    assert keys(tmp_path) == ["a"]


def test_a_line_that_counts_and_is_no_trace_is_named(tmp_path):
    path = write_segment(tmp_path, "grpo-e1-000001.jsonl", [trace("a", "", 1, "grpo:1:0:0:0")])
    path.write_text(path.read_text() + ledger_line({"key": 3}))
    with pytest.raises(LedgerError, match=r"grpo-e1-000001\.jsonl:2: expected a trace, got a problem in key"):
        keys(tmp_path)


@pytest.mark.parametrize(
    "bad",
    [
        b"not json",
        json.dumps(trace("b", "", 1, "grpo:1:0:0:0")).encode(),
        ledger_line(trace("b", "", 1, "grpo:1:0:0:0"))
        .encode()
        .rstrip()
        .replace(b'"score": 1', b'"score": 9'),
        b"",
    ],
)
def test_a_line_whose_checksum_is_missing_or_wrong_is_named_and_never_skipped(tmp_path, bad):
    path = write_segment(tmp_path, "grpo-e1-000001.jsonl", [trace("a", "", 1, "grpo:1:0:0:0")])
    path.write_bytes(path.read_bytes() + bad + b"\n")
    with pytest.raises(LedgerError, match=r"grpo-e1-000001\.jsonl:2: expected a trace with its checksum"):
        keys(tmp_path)


def test_every_change_of_one_byte_is_found_but_of_the_last_newline_which_leaves_a_torn_line(tmp_path):
    lines = [trace(p, "\u00e9", 1, "grpo:1:0:0:0") for p in "abc"]
    path = write_segment(tmp_path, "grpo-e1-000001.jsonl", lines)
    whole, draw = path.read_bytes(), random.Random(7)
    for at in [len(whole) - 1, *(draw.randrange(len(whole) - 1) for _ in range(150))]:
        changed = bytearray(whole)
        changed[at] ^= draw.randrange(1, 256)
        path.write_bytes(changed)
        if at == len(whole) - 1:
            assert keys(tmp_path) == ["a", "b"]
        else:
            with pytest.raises(LedgerError, match=r"grpo-e1-000001\.jsonl:[123]"):
                keys(tmp_path)


def test_an_epoch_whose_taker_died_before_its_record_makes_nothing_void(tmp_path):
    write_segment(tmp_path, "grpo-e1-000001.jsonl", [trace("a", "", 1, "grpo:1:0:0:0")])
    take_epoch(tmp_path, "grpo", 1)
    (tmp_path / "grpo/epochs/000002").mkdir()
    assert keys(tmp_path) == ["a"]
    (tmp_path / "grpo/epochs/000002/epoch.json").write_text('{"stage": "gr')
    assert keys(tmp_path) == ["a"]


def test_a_run_without_a_ledger_has_no_traces(tmp_path):
    assert keys(tmp_path) == []
