import json
import multiprocessing

import pytest
from external_audit import audit_files, contestant, write_lines, write_request

from gavel_train.audit.external import run
from gavel_train.audit.looks import Look, confidence_of_look, sketch, take_look


def at(path, asked, rows="rows", prompts=()):
    """Take a look and return its number."""
    return take_look(path, Look(rows, asked, sketch(prompts), "run"))


def test_each_new_question_about_the_same_rows_is_a_further_look_and_the_same_again_is_not(tmp_path):
    path = tmp_path / ".gavel" / "looks.jsonl"
    assert at(path, "first") == 1
    assert at(path, "second") == 2
    assert at(path, "first", rows="other rows") == 1
    assert at(path, "first") == 1
    assert at(path, "third") == 3
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["data_digest"], line["asked_digest"]) for line in lines] == [
        ("rows", "first"),
        ("rows", "second"),
        ("other rows", "first"),
        ("rows", "third"),
    ]


def ids(first: int, end: int) -> list[str]:
    return [f"prompt {n}" for n in range(first, end)]


@pytest.mark.parametrize(
    ("before", "now", "number"),
    [
        ((0, 50), (0, 49), 2),
        ((0, 49), (0, 50), 2),
        # The sketch of the larger set holds a few of the smaller one alone.
        ((0, 50), (0, 1_000), 2),
        ((0, 5_000), (2_000, 2_500), 2),
        ((0, 5_000), (2_500, 7_500), 2),
        ((0, 100), (80, 180), 2),
        ((0, 100), (95, 195), 1),
        ((0, 5_000), (4_900, 9_900), 1),
        ((0, 5_000), (5_000, 10_000), 1),
        ((0, 50), (50, 100), 1),
    ],
)
def test_a_look_at_a_tenth_of_the_prompts_or_more_counts_whatever_else_is_among_the_rows(
    tmp_path, before, now, number
):
    path = tmp_path / "looks.jsonl"
    assert at(path, "asked", rows="before", prompts=ids(*before)) == 1
    assert at(path, "asked", rows="now", prompts=ids(*now)) == number
    assert at(path, "asked", rows="before", prompts=ids(*before)) == 1
    assert at(path, "asked", rows="now", prompts=ids(*now)) == number


def test_a_sketch_depends_on_neither_order_nor_number_of_rows_and_stays_small():
    assert sketch(ids(0, 30)) == sketch([*reversed(ids(0, 30)), "prompt 3"])
    assert len(sketch(ids(0, 30))) == 30
    assert len(sketch(ids(0, 100_000))) == 256


def test_a_look_from_before_there_were_sketches_counts_for_the_same_rows(tmp_path):
    path = tmp_path / "looks.jsonl"
    line = {"at": "2026-01-01T00:00:00Z", "data_digest": "rows", "asked_digest": "first", "run": "run"}
    path.write_text(json.dumps(line) + "\n")
    assert at(path, "second", prompts=ids(0, 50)) == 2
    assert at(path, "second", rows="other rows", prompts=ids(50, 100)) == 1


def test_a_torn_last_line_is_not_counted_and_does_not_take_the_next_with_it(tmp_path, capsys):
    path = tmp_path / "looks.jsonl"
    at(path, "first")
    with path.open("a") as file:
        file.write('{"at": "2026-01-01T00:00:00Z", "data_dig')
    assert at(path, "second") == 2
    assert at(path, "third") == 3
    assert "looks.jsonl:2: expected a look" in capsys.readouterr().err


def _look(path, asked, queue):
    queue.put(at(path, asked))


def test_audits_that_run_at_once_get_numbers_of_their_own(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    path = tmp_path / "looks.jsonl"
    processes = [context.Process(target=_look, args=(path, str(n), queue)) for n in range(6)]
    for process in processes:
        process.start()
    numbers = sorted(queue.get(timeout=30) for _ in processes)
    for process in processes:
        process.join()
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_all_looks_together_err_at_most_1_65_times_as_often_as_one():
    assert confidence_of_look(0.95, 1) == 0.95
    assert confidence_of_look(0.95, 2) == pytest.approx(1 - 0.05 / 4)
    assert sum(1 - confidence_of_look(0.95, look) for look in range(1, 10_000)) < 1.65 * 0.05


def a_row(n: int) -> dict:
    return {"id": f"r{n}", "prompt": f"q{n // 2}", "completion": f"c{n}", "is_correct": n % 3 != 0}


def scored(rows: list[dict], shift: int = 0) -> list[dict]:
    return [{"row_id": row["id"], "score": (int(row["id"][1:]) + shift) % 10} for row in rows]


def look_of(folder, rows, *, shift=0, **changes) -> int:
    return audit_files(folder, rows, {"grader": scored(rows, shift)}, **changes)["look"]["number"]


def test_fewer_rows_more_rows_and_rows_in_another_order_are_no_fresh_rows(tmp_path):
    rows = [a_row(n) for n in range(50)]
    assert look_of(tmp_path, rows) == 1
    assert look_of(tmp_path, rows, max_rows=49) == 2
    assert look_of(tmp_path, rows, max_rows=48) == 3
    assert look_of(tmp_path, [*rows, *(a_row(n) for n in range(50, 100))]) == 4
    assert look_of(tmp_path, [row | {"completion": "another"} for row in rows]) == 5
    assert look_of(tmp_path, rows[::-1]) == 1
    assert look_of(tmp_path, [a_row(n) for n in range(200, 250)]) == 1


def test_other_verdicts_slices_and_gates_are_further_looks_and_the_same_ones_are_not(tmp_path):
    rows = [a_row(n) for n in range(50)]
    gate = {"id": "coverage.grader.headline.scored", "at_least": 0.9}
    asked = [{}, {"shift": 1}, {"slices": ["kind"]}, {"gates": [gate]}, {"confidence": 0.9}, {"threshold": 6}]
    assert [look_of(tmp_path, rows, **one) for one in asked] == [1, 2, 3, 4, 5, 6]
    assert [look_of(tmp_path, rows, **one) for one in asked] == [1, 2, 3, 4, 5, 6]
    one_less = scored(rows)[:-1]
    assert audit_files(tmp_path, rows, {"grader": one_less})["look"]["number"] == 7


def test_a_model_that_was_trained_again_behind_the_same_name_is_a_further_look(tmp_path, gateways):
    rows = [a_row(n) for n in range(40)]
    write_lines(tmp_path / "rows.jsonl", rows)
    gateway = gateways(tmp_path, stage="serve")
    write_request(tmp_path, [contestant("grader", mode="single_token")], gateway_url=gateway.url)

    def look() -> tuple[int, str]:
        run(tmp_path)
        audit = json.loads((tmp_path / "audit.json").read_text())
        return audit["look"]["number"], audit["contestants"][0]["model"]

    before = look()
    assert look() == before
    # The ledger has no key of the new weights, and the server says the same name.
    gateway.known.clear()
    (tmp_path / "pass-grader-single_token.json").unlink()
    score = gateway.score
    gateway.score = lambda request: 9 - score(request)
    assert look() == (2, before[1])
