"""Counting the tokens of grading questions."""

import json
from pathlib import Path

import pytest

from gavel_train.contracts import TokenCountRequest, TokenCounts
from gavel_train.judging.token_counts import counts_of, main

JUDGE = str(Path(__file__).parents[3] / "models/poly-easy-judge")


def _request(messages: list[dict[str, str]], prefix: str | None = None, tokenizer: str = JUDGE):
    chat = {"messages": messages, "answer_prefix": prefix}
    return TokenCountRequest.model_validate({"tokenizer": tokenizer, "chats": [chat], "texts": ["3", "=3"]})


QUESTION = [{"role": "user", "content": "3x=6"}]
TURNS = [*QUESTION, {"role": "assistant", "content": "9"}, *QUESTION]


def test_the_total_is_that_of_the_chat_template_with_the_turns_and_the_beginning_of_the_answer():
    asked = (_request(QUESTION), _request(QUESTION, "1"), _request(TURNS))
    plain, begun, turns = (counts_of(request).chats[0] for request in asked)
    assert plain.contents == [4]
    assert plain.total is not None and plain.total > 4
    assert begun.total == plain.total + 1
    assert turns.contents == [4, 1, 4]
    assert turns.total is not None and turns.total > 2 * plain.total - 1


def test_texts_come_back_as_the_ids_of_their_tokens_alone():
    one, two = counts_of(_request(QUESTION)).texts
    assert len(one) == 1
    assert two[1:] == one and len(two) == 2


@pytest.mark.parametrize(
    ("template", "problem"),
    [(None, "chat_template"), ("{{ raise_exception('no system role') }}", "no system role")],
)
def test_a_template_that_is_missing_or_refuses_the_chat_is_reported(tmp_path, template, problem):
    tokenizer = json.loads(Path(JUDGE, "tokenizer.json").read_text())
    config = json.loads(Path(JUDGE, "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    if template is not None:
        config["chat_template"] = template
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    chat = counts_of(_request(QUESTION, tokenizer=str(tmp_path))).chats[0]
    assert chat.contents == [4]
    assert chat.total is None
    assert problem in (chat.problem or "")


def test_counts_are_written_beside_the_request(tmp_path):
    (tmp_path / "request.json").write_text(_request(QUESTION).model_dump_json())
    main(tmp_path)
    assert TokenCounts.model_validate_json((tmp_path / "counts.json").read_bytes()).chats[0].total


def test_a_folder_without_a_tokenizer_ends_the_process_with_one_message(tmp_path):
    (tmp_path / "request.json").write_text(_request(QUESTION, tokenizer=str(tmp_path)).model_dump_json())
    with pytest.raises(SystemExit, match="that transformers can load"):
        main(tmp_path)
    assert not (tmp_path / "counts.json").exists()
