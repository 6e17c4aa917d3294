"""What an engine for rollouts is: prompts in, a stream of completions out.

The trainer's adapter (`trl_adapter`) and the sampling of checkpoints after training use engines alike.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from transformers import PreTrainedTokenizerBase

from gavel_train.contracts import GrpoSpec


@dataclass(frozen=True)
class Sampling:
    """How a next token is drawn, with the meanings that transformers gives these names.

    `temperature` 0 means greedy; `top_p` 1, `top_k` 0, `min_p` 0 and `repetition_penalty` 1 change nothing.
    A completion ends with the first of `stop_ids`, with one of `stop_strings`, or after `max_new_tokens`.
    `seed` is for engines outside of this process; those inside draw from torch's global generator.
    """

    max_new_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    stop_ids: frozenset[int] = frozenset()
    stop_strings: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True)
class Completion:
    """One completion; `index` is the position of its prompt among those that the engine was given.

    `token_ids` ends with the token that ended it. `logprobs` has one number a token, in nats, where the
    engine samples from other weights or kernels than the trainer's, and is None where it does not.
    """

    index: int
    token_ids: list[int]
    ended: Literal["stop", "length"]
    logprobs: list[float] | None = None


class Engine(Protocol):
    """Samples completions."""

    def generate(
        self, prompts: Sequence[Sequence[int]], sampling: Sampling
    ) -> Generator[Completion, None, None]:
        """Yield one completion per prompt, each when it ends, in any order.

        `prompts` are token ids; equal ones form a group and are computed once. Stops early, with fewer
        completions than prompts, where SIGTERM arrives and the engine was told to give up then.
        """
        ...


def sampling_for(tokenizer: PreTrainedTokenizerBase, grpo: GrpoSpec, *, temperature: float) -> Sampling:
    """Return how a spec has its policy sampled, up to the tokenizer's end token.

    The temperature is a parameter because the audit has its own.
    """
    end: Any = tokenizer.eos_token_id
    return Sampling(
        max_new_tokens=grpo.max_completion_tokens,
        temperature=temperature,
        top_p=grpo.top_p,
        top_k=grpo.top_k,
        min_p=grpo.min_p,
        repetition_penalty=grpo.repetition_penalty,
        stop_ids=frozenset() if end is None else frozenset({end}),
        stop_strings=tuple(grpo.stop),
    )
