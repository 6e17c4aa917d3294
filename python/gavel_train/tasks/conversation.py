"""Prompts that are conversations: the policy gets the messages, everybody else their text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gavel_train.contracts import PromptRow

ROLES = ("system", "user", "assistant")


def conversation_text(messages: Sequence[Mapping[str, str]]) -> str:
    """Return the text that stands for a conversation where a judge grades, and where prompts are told apart.

    A user's message alone is its own text; others have a line `[role]` above each message.
    """
    if len(messages) == 1 and messages[0]["role"] == "user":
        return messages[0]["content"]
    return "\n\n".join(f"[{message['role']}]\n{message['content']}" for message in messages)


def messages_of(row: PromptRow) -> list[dict[str, str]]:
    """Return a row's conversation; where it has none, one message of the user."""
    if row.messages is None:
        return [{"role": "user", "content": row.prompt}]
    return [{"role": message.role, "content": message.content} for message in row.messages]
