"""Which completions of a group are compared with which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gavel_train.contracts import GrpoSpec

# Two rollouts of a group, the one with the lower number first.
Pair = tuple[int, int]


@dataclass(frozen=True)
class GroupPairs:
    """Each of `size` completions has `opponents` others: all, in a round robin, or its nearest in the circle.

    In the circle of the group's rollouts each has as many pairs as any other.
    """

    size: int
    opponents: int

    def of(self, rollout: int) -> list[int]:
        """Return the opponents of a rollout, in order."""
        half, rest = divmod(self.opponents, 2)
        distances = [distance for step in range(1, half + 1) for distance in (step, -step)]
        if rest:
            # An odd number needs an even group, where the one across the circle is its own counterpart.
            distances.append(self.size // 2)
        if self.opponents == self.size - 1:
            return [other for other in range(self.size) if other != rollout]
        return sorted((rollout + distance) % self.size for distance in distances)

    def __iter__(self) -> Iterator[Pair]:
        """Return each pair once."""
        return ((one, other) for one in range(self.size) for other in self.of(one) if one < other)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return self.size * self.opponents // 2


def pairs_of_group(grpo: GrpoSpec) -> GroupPairs:
    """Return the pairs of each group of a run."""
    everybody = grpo.num_generations - 1
    return GroupPairs(grpo.num_generations, everybody if grpo.opponents is None else grpo.opponents)
