import json

import pytest
from true_rows import true_row

from gavel_train.tasks import gsm8k, jsonl

SIZES = {"train": 3, "eval": 2, "audit": 1}


def write(path, rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def numbered(count):
    return [{"prompt": f"p{n}", "ground_truth": n, "topic": "sums"} for n in range(count)]


def test_one_file_is_dealt_out_by_prompt_the_same_way_each_time(tmp_path):
    path = write(tmp_path / "mine.jsonl", [*numbered(6), numbered(6)[0]])
    splits = jsonl.make_splits({}, SIZES, 0, tmp_path, path)
    prompts = [row["prompt"] for rows in splits.values() for row in rows]
    assert sorted(prompts) == [f"p{n}" for n in range(6)]
    assert splits == jsonl.make_splits({}, SIZES, 0, tmp_path, path)
    row = splits["audit"][0]
    assert row["ground_truth"] == row["prompt"][1:] and row["meta"] == {"topic": "sums"}


def test_a_folder_gives_each_split_its_own_file(tmp_path):
    for number, split in enumerate(SIZES):
        write(tmp_path / f"{split}.jsonl", [{"q": f"{split} {n}"} for n in range(3 + number)])
    splits = jsonl.make_splits({"prompt_field": "q"}, SIZES, 0, tmp_path, tmp_path)
    assert [row["prompt"] for row in splits["eval"]] == ["eval 0", "eval 1"]
    assert splits["eval"][0]["ground_truth"] is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "expected at least one line with a 'prompt', found none"),
        (["{"], r"mine\.jsonl:1: expected a JSON object"),
        (["[1]"], r"mine\.jsonl:1: expected a JSON object"),
        (
            [{"prompt": "a"}, {"question": "b"}],
            r"mine\.jsonl:2: field 'prompt': expected text or messages, got none",
        ),
        ([{"prompt": "a", "ground_truth": [1]}], r"mine\.jsonl:1: field 'ground_truth'"),
        (
            [{"prompt": "a", "ground_truth": "1"}, {"prompt": "a", "ground_truth": "2"}],
            r"mine\.jsonl:2: field 'ground_truth': the prompt of line 1 again, with another ground truth",
        ),
        (numbered(5), "expected at least 6 distinct prompts"),
    ],
)
def test_bad_files_are_named_by_path_line_and_field(tmp_path, rows, message):
    path = write(tmp_path / "mine.jsonl", rows)
    with pytest.raises(ValueError, match=message):
        jsonl.make_splits({}, SIZES, 0, tmp_path, path)


def talk(*contents, role="user"):
    """A conversation of a system's message and others."""
    return [
        {"role": "system", "content": "Be brief."},
        *({"role": role, "content": text} for text in contents),
    ]


def test_a_prompt_may_be_a_conversation_whose_text_tells_it_apart(tmp_path):
    rows = [{"prompt": talk(f"p{n}"), "ground_truth": n} for n in range(5)]
    rows += [{"prompt": [{"role": "user", "content": "p0"}]}, {"prompt": "p0"}]
    splits = jsonl.make_splits({}, SIZES, 0, tmp_path, write(tmp_path / "mine.jsonl", rows))
    found = {row["prompt"]: row["messages"] for made in splits.values() for row in made}
    expected = {f"[system]\nBe brief.\n\n[user]\np{n}": talk(f"p{n}") for n in range(5)}
    # A user's message alone is the same prompt as its text.
    assert found == expected | {"p0": [{"role": "user", "content": "p0"}]}


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ([], "expected a conversation that ends with a message of the user"),
        (talk("a", role="assistant"), "expected a conversation that ends with a message of the user"),
        (talk("a", role="tool"), "message 1: expected a role of system, user, assistant, got another"),
        (talk("a", ""), "message 2: expected text as content, got empty text"),
        (talk([1]), "message 1: expected text as content, got a list"),
        (["a"], "message 0: expected an object of role and content alone"),
        ([{"role": "user"}], "message 0: expected an object of role and content alone"),
        ([*talk(), {"role": "user", "content": "a", "name": "b"}], "message 1: expected an object of role"),
    ],
)
def test_a_bad_conversation_is_named_by_path_line_field_and_message(tmp_path, prompt, message):
    path = write(tmp_path / "mine.jsonl", [{"prompt": "fine"}, {"prompt": prompt}])
    with pytest.raises(ValueError, match=rf"mine\.jsonl:2: field 'prompt': {message}"):
        jsonl.make_splits({}, SIZES, 0, tmp_path, path)


SECRET = "root:*:19000"


@pytest.mark.parametrize("task", [jsonl, gsm8k])
@pytest.mark.parametrize(
    "line",
    [
        SECRET,
        json.dumps([SECRET]),
        json.dumps({"prompt": [SECRET], "question": [SECRET]}),
        json.dumps({"prompt": [{"role": SECRET, "content": SECRET}]}),
    ],
)
def test_no_error_quotes_a_file_that_a_spec_names(tmp_path, task, line):
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "test", "eval", "audit"):
        write(folder / f"{split}.jsonl", [line])
    with pytest.raises(ValueError, match=r"jsonl:1: ") as error:
        task.make_splits({}, SIZES, 0, tmp_path, folder)
    assert "19000" not in str(error.value)


@pytest.mark.parametrize("verifier", ["number", "marked_number"])
def test_a_ground_truth_that_is_no_number_is_refused_where_numbers_are_compared(tmp_path, verifier):
    path = write(tmp_path / "mine.jsonl", [*numbered(6), {"prompt": "how far", "ground_truth": "42 km"}])
    with pytest.raises(ValueError, match=r"mine\.jsonl:7: field 'ground_truth': expected a number"):
        jsonl.make_splits({"verifier": verifier}, SIZES, 0, tmp_path, path)
    assert jsonl.make_splits({"verifier": "exact"}, SIZES, 0, tmp_path, path)


def test_a_missing_file_and_a_missing_path_are_told_apart(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        jsonl.make_splits({}, SIZES, 0, tmp_path, tmp_path / "none.jsonl")
    with pytest.raises(ValueError, match=r"task\.path"):
        jsonl.make_splits({}, SIZES, 0, tmp_path, None)


def test_parameters_are_checked(tmp_path):
    for params, message in (
        ({"verifer": "exact"}, "verifer"),
        ({"verifier": "magic"}, "choice, number, marked_number, math, none"),
    ):
        with pytest.raises(ValueError, match=message):
            jsonl.make_splits(params, SIZES, 0, tmp_path, tmp_path)


def test_the_verifier_is_the_one_that_params_name():
    def right(verifier, completion, truth):
        return jsonl.verifier_of({"verifier": verifier}).check(completion, true_row(truth)).value == 1.0

    assert right("exact", " Paris\n", "Paris") and not right("exact", "It is Paris", "Paris")
    assert right("number", "It is $1,000", "1000") and not right("number", "It is 10", "1000")
    assert jsonl.verifier_of({}) is None
