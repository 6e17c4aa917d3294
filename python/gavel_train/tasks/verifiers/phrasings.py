"""Ways in which a model may give an answer, for dry runs."""

from __future__ import annotations


def phrasings(truth: str) -> list[str]:
    """Return sentences and marks that hold a truth, some of which a verifier may not take."""
    return [
        f"{truth}.",
        f"The answer is {truth}.",
        f"Let me think. I would say that it is {truth}.",
        f"Answer: {truth}",
        f"**{truth}**",
        f"\\boxed{{{truth}}}",
        f"#### {truth}",
        f"<answer>{truth}</answer>",
    ]
