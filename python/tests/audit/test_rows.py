import json
import resource
import time

import pytest

from gavel_train.audit.rows import AuditedRows, read_external_rows
from gavel_train.contracts import AuditRow
from gavel_train.run.outcome import BadRequest

ROW = {"id": "a", "prompt": "p", "completion": "c"}
PAIR = {"id": "a", "prompt": "p", "completion_a": "c", "completion_b": "d"}


def without(row: dict, *names: str) -> dict:
    return {name: value for name, value in row.items() if name not in names}


def write(folder, lines):
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "rows.jsonl").write_text("\n".join(texts))
    return folder / "rows.jsonl"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([without(ROW, "id")], r"rows\.jsonl:1: id: expected a value, found none"),
        ([ROW, ROW], r"rows\.jsonl:2: expected a new id, found 'a' again, as in .*rows\.jsonl:1"),
        ([ROW | {"id": "a:b"}], r"rows\.jsonl:1: id: expected .*found \"a:b\""),
        ([ROW | {"id": 7}], r"rows\.jsonl:1: id: expected string, found 7"),
        ([ROW | {"prompt": ""}], r"rows\.jsonl:1: prompt: expected"),
        ([without(ROW, "completion")], r"rows\.jsonl:1: expected completion, or .*; found neither"),
        ([without(PAIR, "completion_b")], r"rows\.jsonl:1: .*found half of a pair"),
        ([PAIR | ROW], r"rows\.jsonl:1: .*found both"),
        ([ROW, PAIR | {"id": "b"}], r"rows\.jsonl:2: expected one completion like the rows before it"),
        ([PAIR, ROW | {"id": "b"}], r"rows\.jsonl:2: expected a pair like the rows before it"),
        ([PAIR | {"is_correct": True}], r"rows\.jsonl:1: expected the truth of a pair as preference"),
        ([PAIR | {"preference": "C"}], r"rows\.jsonl:1: preference: expected 'A', 'B' or 'tie', found \"C\""),
        ([ROW | {"preference": "A"}], r"rows\.jsonl:1: preference: expected it on pairs only"),
        ([ROW | {"is_correct": 1}], r"rows\.jsonl:1: is_correct: expected boolean, found 1"),
        ([ROW, "{broken"], r"rows\.jsonl:2: expected a JSON object, found no JSON"),
        (["[1, 2]"], r"rows\.jsonl:1: expected a JSON object, found a list of 2"),
        (['{"id": "a", "prompt": "p", "completion": NaN}'], r"rows\.jsonl:1: .*NaN is no number"),
        (['{"id": "a", "prompt": "p", "completion": "\\ud83d"}'], r"rows\.jsonl:1: completion: .*\\ud83d"),
        ([ROW, '{"id": "\\uD83D", "prompt": "p", "completion": "c"}'], r"rows\.jsonl:2: id: .*other half"),
        ([""], r"rows\.jsonl: expected rows .*found an empty file"),
        ([ROW | {"fields": {"kind": ["x"]}}], r"fields\.kind: expected text, a number, .*found a list of 1"),
        ([ROW | {"fields": {"score": 3}}], r"rows\.jsonl:1: fields\.score: expected another name"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_line_field_and_what_was_found(tmp_path, lines, said):
    with pytest.raises(BadRequest, match=said) as raised:
        read_external_rows(write(tmp_path, lines))
    assert raised.value.field == "rows"


def test_an_escaped_emoji_is_text_as_any_other(tmp_path):
    rows = read_external_rows(write(tmp_path, [json.dumps(ROW | {"prompt": "\U0001f642"})]))
    assert rows.rows[0].prompt == "\U0001f642"


def test_an_unknown_field_is_refused_with_the_name_that_was_meant_and_where_fields_go(tmp_path):
    misspelt = without(ROW, "completion") | {"completoin": "c"}
    with pytest.raises(BadRequest, match=r"found 'completoin'\. Did you mean 'completion'\?.*\"fields\""):
        read_external_rows(write(tmp_path, [misspelt]))
    with pytest.raises(BadRequest, match=r"found 'zone'\. What rows are sliced by goes under \"fields\""):
        read_external_rows(write(tmp_path, [ROW | {"zone": "eu"}]))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadRequest, match=r"rows\.jsonl, found: No such file"):
        read_external_rows(tmp_path / "rows.jsonl")


def test_a_text_that_is_no_utf8_is_refused_by_line(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(json.dumps(ROW).encode() + b'\n{"id": "\xff"}\n')
    with pytest.raises(BadRequest, match=r"rows\.jsonl:2: expected a JSON object, found no JSON"):
        read_external_rows(tmp_path / "rows.jsonl")


def test_line_separators_inside_of_a_text_end_no_line(tmp_path):
    path = write(tmp_path, [json.dumps(ROW | {"completion": "a\u2028b\x85c"}, ensure_ascii=False)])
    assert read_external_rows(path).rows[0].completion == "a\u2028b\x85c"


def test_rows_with_the_same_prompt_belong_together_and_fields_become_text(tmp_path):
    fields = {"kind": "sum", "level": 3, "rate": 0.5, "hard": True}
    rows = read_external_rows(
        write(
            tmp_path,
            [ROW | {"fields": fields}, ROW | {"id": "b", "prompt": " P\n"}, ROW | {"id": "c", "prompt": "q"}],
        )
    )
    assert rows.prompt_N.tolist()[0] == rows.prompt_N.tolist()[1] != rows.prompt_N.tolist()[2]
    assert rows.rows[0].fields == {"kind": "sum", "level": "3", "rate": "0.5", "hard": "true"}
    assert (rows.subject, rows.labels) == ("pointwise", ("wrong", "right"))


def test_a_pair_is_kept_as_completion_and_completion_b(tmp_path):
    rows = read_external_rows(write(tmp_path, [PAIR | {"preference": "tie"}]))
    assert (rows.subject, rows.labels) == ("pairwise", ("A", "B", "tie"))
    assert (rows.rows[0].completion, rows.rows[0].completion_b, rows.rows[0].preference) == ("c", "d", "tie")


def test_rows_beyond_the_first_are_left_out_and_their_ids_stay_known(tmp_path):
    path = write(tmp_path, [ROW | {"id": str(n)} for n in range(5)])
    rows = read_external_rows(path, max_rows=2)
    assert [row.id for row in rows.rows] == ["0", "1"]
    assert rows.left_out == {"2", "3", "4"}


def test_the_digest_of_rows_is_of_what_is_judged_and_not_of_ids_and_order(tmp_path):
    def rows(*given: dict) -> AuditedRows:
        return AuditedRows(
            [AuditRow.model_validate({"prompt_id": "p", "source": "s"} | ROW | one) for one in given]
        )

    some = rows({"id": "a"}, {"id": "b", "completion": "d"})
    other = rows({"id": "x", "completion": "d"}, {"id": "y"})
    assert some.digest == other.digest
    assert some.ordered_digest != other.ordered_digest
    assert rows({"id": "a"}).digest != rows({"id": "a", "is_correct": True}).digest


def test_a_hundred_thousand_rows_load_in_seconds_and_far_below_a_gigabyte(tmp_path):
    with (tmp_path / "rows.jsonl").open("w") as file:
        for n in range(100_000):
            row = ROW | {"id": f"r{n}", "prompt": f"{n // 10} " + "word " * 40, "completion": "word " * 60}
            file.write(json.dumps(row | {"is_correct": n % 2 == 0, "fields": {"kind": f"k{n % 7}"}}) + "\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    rows = read_external_rows(tmp_path / "rows.jsonl")
    assert int(rows.prompt_N.max()) + 1 == 10_000
    assert len(rows.digest) == 64
    # 4 s on a machine with nothing else to do.
    assert time.process_time() - started < 20
    # ru_maxrss is in KiB on Linux.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 * 1024
