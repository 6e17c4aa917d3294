import json
import multiprocessing

import pytest

from gavel_train.audit.looks import confidence_of_look, take_look


def test_each_new_question_about_the_same_rows_is_a_further_look_and_the_same_again_is_not(tmp_path):
    path = tmp_path / ".gavel" / "looks.jsonl"
    assert take_look(path, "rows", "first", "run") == 1
    assert take_look(path, "rows", "second", "run") == 2
    assert take_look(path, "other rows", "first", "run") == 1
    assert take_look(path, "rows", "first", "run") == 1
    assert take_look(path, "rows", "third", "another run") == 3
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["data_digest"], line["asked_digest"]) for line in lines] == [
        ("rows", "first"),
        ("rows", "second"),
        ("other rows", "first"),
        ("rows", "third"),
    ]


def test_a_torn_last_line_is_not_counted_and_does_not_take_the_next_with_it(tmp_path, capsys):
    path = tmp_path / "looks.jsonl"
    take_look(path, "rows", "first", "run")
    with path.open("a") as file:
        file.write('{"at": "2026-01-01T00:00:00Z", "data_dig')
    assert take_look(path, "rows", "second", "run") == 2
    assert take_look(path, "rows", "third", "run") == 3
    assert "looks.jsonl:2: expected a look" in capsys.readouterr().err


def _look(path, asked, queue):
    queue.put(take_look(path, "rows", asked, "run"))


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
