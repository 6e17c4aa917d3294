from gavel_train.contracts import JournalEntry, PromptRow
from gavel_train.rollouts.pending_step import JournaledStep

ROWS = [PromptRow(id=f"p{group}", prompt="p", ground_truth=None, meta={}) for group in (0, 0, 1, 1)]


def entry(group: int, rollout: int, *, adapter_step: int, prompt_id: str) -> JournalEntry:
    return JournalEntry(
        step=7,
        group=group,
        rollout=rollout,
        prompt_id=prompt_id,
        adapter=f"policy-v{adapter_step:06d}.e1",
        adapter_step=adapter_step,
        adapter_sha256="ab" * 32,
        token_ids=[5, 1],
        logprobs=[-0.1, -0.2],
        ended="stop",
    )


def step() -> JournaledStep:
    nothing = None
    return JournaledStep(nothing, 7, 0, 2, ROWS, nothing)  # type: ignore[arg-type]


def journaled(*entries: JournalEntry) -> dict:
    return {(one.step, one.group, one.rollout): one for one in entries}


def test_takes_the_journaled_completions_of_its_own_prompts():
    held = journaled(
        entry(0, 1, adapter_step=6, prompt_id="p0"), entry(1, 0, adapter_step=5, prompt_id="another")
    )
    one = step()
    assert [found.index for found in one.known(held)] == [1]
    assert one.age_of(1) == 0
    # What was looked at is not kept for the rest of the run.
    assert held == {}


def test_leaves_out_what_an_adapter_of_another_trajectory_sampled():
    held = journaled(entry(0, 0, adapter_step=4, prompt_id="p0"), entry(0, 1, adapter_step=5, prompt_id="p0"))
    assert [found.index for found in step().known(held, before_step=5)] == [0]
