"""The exact check of a completion's final answer against the known right one."""

import re
from functools import lru_cache

import sympy
from sympy.parsing.sympy_parser import (
    convert_xor,
    implicit_multiplication,
    parse_expr,
    standard_transformations,
)

_X = sympy.Symbol("x")
_TRANSFORMATIONS = (*standard_transformations, convert_xor, implicit_multiplication)

_MARKED = re.compile(r"(?:\b(?:answer|so)\b|=)\s*(?:is\b)?\s*:?", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
# Only arithmetic in x reaches sympy, whose parser would otherwise evaluate names.
_ARITHMETIC = re.compile(r"[0-9x+\-*/^(). ]{1,80}")
# A tower of powers, or a large one, could take for ever to expand.
_HUGE_POWER = re.compile(
    r"(?:\^|\*\*)\s*(?!\d(?![\d.]))|(?:\^|\*\*)\s*\d\s*\)*\s*(?:\^|\*\*)|\)\s*(?:\^|\*\*)\s*[4-9]"
)


def verify(completion: str, ground_truth: str) -> bool:
    """Say whether the completion's final answer equals the ground truth as a polynomial in x.

    The final answer is the last `\\boxed{...}`, else what follows the last "Answer", "So" or "=", else the
    whole text. Anything that cannot be read as arithmetic in x is wrong; nothing raises.
    """
    return _equal(final_answer(completion), ground_truth.strip())


def final_answer(completion: str) -> str:
    """The part of a completion that states its answer."""
    boxed = _BOXED.findall(completion)
    if boxed:
        return _bare(_after_mark(boxed[-1]))
    return _bare(_after_mark(completion))


def _after_mark(text: str) -> str:
    marks = list(_MARKED.finditer(text))
    return text[marks[-1].end() :] if marks else text


def _bare(text: str) -> str:
    return text.strip().rstrip(".;,!").strip("$ \n\t")


# GRPO groups repeat the same few answers, and sympy needs milliseconds for each.
@lru_cache(maxsize=65536)
def _equal(answer: str, ground_truth: str) -> bool:
    if answer == ground_truth:
        return bool(answer)
    found, expected = _read(answer), _read(ground_truth)
    if found is None or expected is None:
        return False
    try:
        return sympy.expand(found - expected) == 0
    except (ArithmeticError, TypeError, ValueError):
        return False


def _read(text: str) -> sympy.Expr | None:
    if not _ARITHMETIC.fullmatch(text) or _HUGE_POWER.search(text):
        return None
    try:
        expression = parse_expr(text, local_dict={"x": _X}, transformations=_TRANSFORMATIONS)
    except Exception:
        return None
    return expression if isinstance(expression, sympy.Expr) else None
