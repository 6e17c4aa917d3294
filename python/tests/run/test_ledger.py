import json
import random

import pytest
from tiny_run import ledger_line, ledger_of, trace, write_segment

from gavel_train.contracts import LedgerSegment
from gavel_train.run.ledger import LedgerError, read_traces


def keys(run_dir, ledger=None, **filters):
    ledger = ledger_of(run_dir) if ledger is None else ledger
    return [each.trace.prompt for each in read_traces(run_dir, ledger, **filters)]


def named(path, stage="grpo", size=None):
    return LedgerSegment(
        path=f"traces/{path.name}", stage=stage, bytes=path.stat().st_size if size is None else size
    )


def test_only_the_segments_that_are_named_count_in_their_order_and_up_to_their_bytes(tmp_path):
    lines = [trace(p, "", 1, "grpo:1:0:0:0") for p in "abc"]
    first = write_segment(tmp_path, "grpo-e1-000001.jsonl", lines)
    two = len(b"".join(first.read_bytes().splitlines(keepends=True)[:2]))
    write_segment(tmp_path, "grpo-e2-000001.jsonl", [trace("void", "", 1, "grpo:2:0:0:0")])
    third = write_segment(tmp_path, "grpo-e3-000001.jsonl", [trace("d", "", 1, "grpo:2:0:0:0")])
    # What a gateway is writing now, or a superseded one writes later, was not there when the attempt began.
    assert keys(tmp_path, [named(third), named(first, size=two)]) == ["d", "a", "b"]
    assert keys(tmp_path, []) == []


def test_a_segment_that_is_shorter_than_what_counts_of_it_is_named(tmp_path):
    path = write_segment(tmp_path, "grpo-e1-000001.jsonl", [trace("a", "", 1, "grpo:1:0:0:0")])
    size = path.stat().st_size
    with pytest.raises(LedgerError, match=rf"expected {size + 1} bytes, got {size}"):
        keys(tmp_path, [named(path, size=size + 1)])


def test_a_stage_is_read_without_the_segments_of_another(tmp_path):
    write_segment(tmp_path, "audit-e1-000001.jsonl", [trace("a", "", 1, "audit:r:0", stage="audit")])
    write_segment(tmp_path, "serve-e1-000001.jsonl", [trace("s", "", 1, "call:x:0", stage="serve")])
    assert keys(tmp_path) == ["a", "s"]
    assert keys(tmp_path, stage="serve") == ["s"]


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


def test_every_change_of_one_byte_is_found(tmp_path):
    lines = [trace(p, "\u00e9", 1, "grpo:1:0:0:0") for p in "abc"]
    path = write_segment(tmp_path, "grpo-e1-000001.jsonl", lines)
    ledger, whole, draw = ledger_of(tmp_path), path.read_bytes(), random.Random(7)
    for at in (draw.randrange(len(whole)) for _ in range(150)):
        changed = bytearray(whole)
        changed[at] ^= draw.randrange(1, 256)
        path.write_bytes(changed)
        with pytest.raises(LedgerError, match=r"grpo-e1-000001\.jsonl:[123]"):
            keys(tmp_path, ledger)
