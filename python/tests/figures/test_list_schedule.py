"""What a step takes at least beside a judge that is a queue, and the queue itself."""

import asyncio
import time

import aiohttp
import pytest
from figures.figure import smaller
from figures.queue_judge import queue_judge
from figures.schedule import last_verdict, shares

CALLS, GROUP = 64, 8


def test_the_last_verdict_of_completions_that_end_before_the_judge_is_free():
    # Served from 1 to 6, from 6 to 7 and from 7 to 8.
    assert last_verdict([3, 1, 2], [1, 5, 1]) == 8


def test_the_judge_is_idle_until_a_completion_ends():
    # Served from 0 to 1 and, after two idle seconds, from 3 to 4.
    assert last_verdict([3, 0], [1, 1]) == 4


def test_service_times_sum_to_the_step_s_and_none_is_above_two_percent():
    found = shares(CALLS)
    assert sum(found) == pytest.approx(1)
    assert len(set(found)) == CALLS and max(found) <= 0.02
    with pytest.raises(ValueError, match="at most"):
        shares(CALLS - 2)


def test_a_ratio_of_amounts_is_above_one_where_ours_is_smaller():
    amounts = {"stock": [4.0, 6.0, 8.0], "gavel": [2.0, 4.0, 2.0], "others": [1.0, 1.0, 1.0]}
    figure = smaller("x", "y", amounts, ours="gavel", than="stock", target=2.0)
    assert (figure.ratio.low, figure.ratio.median, figure.ratio.high) == (1.5, 2, 4)
    assert figure.sides == {"stock": 6, "gavel": 2, "others": 1}
    assert figure.met


def test_the_queue_serves_a_step_s_calls_one_after_the_other():
    async def ask(url: str) -> list[float]:
        async with aiohttp.ClientSession(f"{url}/") as session:
            await (await session.post("load", json={"step_s": 2.0})).read()

            async def call(position: int) -> float:
                occasion = f"grpo:1:{position // GROUP}:{position % GROUP}"
                asked = {"occasion": occasion, "prompt": "p", "completion": f"c{position}"}
                answer = await session.post("v1/grade", json=asked)
                assert (await answer.json())["verdict"] == "scored"
                return time.monotonic() - began

            began = time.monotonic()
            return sorted(await asyncio.gather(*map(call, range(CALLS))))

    with queue_judge(CALLS, GROUP) as url:
        answered = asyncio.run(ask(url))
    assert answered[-1] >= 2.0
    # The n-th verdict is not there before n calls have been served, of which none is below 75% of the mean.
    assert all(at >= (number + 1) * 0.75 * 2.0 / CALLS for number, at in enumerate(answered))
