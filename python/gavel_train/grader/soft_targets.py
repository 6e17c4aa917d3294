"""The judge's distribution as what a grader learns, in place of the one score that the judge gave.

A trace's distribution becomes candidates: replies that differ in the score, each with the judge's probability
of it. While the taught reply is read token by token, the candidates that begin like it say which token may
come next, and how probably.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

# A reply, and its probability.
Candidate = tuple[str, float]


@dataclass(frozen=True)
class SoftTarget:
    """The share of a token among those that may stand at a position of an example."""

    position: int
    token: int
    share: float


def candidates_of(replies: Sequence[str], distribution: Sequence[float]) -> list[Candidate]:
    """Return each different reply with the probability of its scores; `replies` give the scores 0 to 9."""
    masses: dict[str, float] = defaultdict(float)
    for reply, mass in zip(replies, distribution, strict=True):
        masses[reply] += mass
    return [(reply, mass) for reply, mass in masses.items() if mass > 0]


def soft_targets(
    taught: Sequence[int], candidates: Sequence[tuple[Sequence[int], float]], *, first: int
) -> list[SoftTarget]:
    """Return the targets where more than one token may come next; the shares of a position add up to 1.

    `taught` are the tokens of the reply, which begins at position `first`; `candidates` are the tokens of
    each reply, and its probability. At a position the targets are the probabilities given the tokens before.
    """
    alive, targets = list(candidates), []
    for at, token in enumerate(taught):
        alive = [(tokens, mass) for tokens, mass in alive if len(tokens) > at]
        masses: dict[int, float] = defaultdict(float)
        for tokens, mass in alive:
            masses[tokens[at]] += mass
        if len(masses) > 1:
            total = sum(masses.values())
            targets += [SoftTarget(first + at, each, mass / total) for each, mass in sorted(masses.items())]
        alive = [(tokens, mass) for tokens, mass in alive if tokens[at] == token]
        if len(alive) < 2:
            break
    return targets
