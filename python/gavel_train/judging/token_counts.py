"""`python -m gavel_train.judging.token_counts FOLDER`: reads request.json there, writes counts.json.

Counts the tokens of grading questions as a model server would see them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from gavel_train.contracts import TokenCountRequest, TokenCountRequestChats, TokenCounts, TokenCountsChats
from gavel_train.run.directory import write_atomically


def counts_of(request: TokenCountRequest) -> TokenCounts:
    """Count; raises OSError or ValueError where the folder holds no tokenizer.json that can be loaded."""
    # Not AutoTokenizer: its import brings in what models need, and takes longer than the counting.
    tokenizer = PreTrainedTokenizerFast.from_pretrained(request.tokenizer, local_files_only=True)
    return TokenCounts(
        chats=[_chat(tokenizer, chat) for chat in request.chats],
        texts=[_ids(tokenizer, text) for text in request.texts],
    )


def _chat(tokenizer: PreTrainedTokenizerFast, chat: TokenCountRequestChats) -> TokenCountsChats:
    contents = [len(_ids(tokenizer, message.content)) for message in chat.messages]
    messages = [{"role": message.role, "content": message.content} for message in chat.messages]
    how: dict[str, Any] = {"add_generation_prompt": True}
    if chat.answer_prefix is not None:
        messages.append({"role": "assistant", "content": chat.answer_prefix})
        how = {"add_generation_prompt": False, "continue_final_message": True}
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, **how)
    except Exception as error:  # A template is a program of its author, which may refuse a role in any way.
        return TokenCountsChats(contents=contents, total=None, problem=f"{type(error).__name__}: {error}")
    return TokenCountsChats(contents=contents, total=len(_ids(tokenizer, str(text))), problem=None)


def _ids(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    # Not verbose: it would warn of more tokens than the model's context has, and no model runs here.
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def main(folder: Path) -> None:
    """Write the counts; a tokenizer that cannot be loaded ends the process with one line."""
    request = TokenCountRequest.model_validate_json((folder / "request.json").read_bytes())
    try:
        counts = counts_of(request)
    except (OSError, ValueError) as error:
        sys.exit(f"{request.tokenizer}: expected a tokenizer.json that transformers can load: {error}")
    write_atomically(folder / "counts.json", counts.model_dump_json() + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m gavel_train.judging.token_counts FOLDER")
    main(Path(sys.argv[1]))
