"""A trainer without tensors: everything of the real one that a fault campaign checks, in a second.

Client of the gateway, epochs, commits, result, signals and progress lines are gavel's own code; in place of
weights there is a digest that every verdict goes into. `python mini_trainer.py gavel_train.policy.grpo EPOCH_DIR`.
A file `hold` beside `runs` names the step whose end it waits at, so that no test races it.
"""

import hashlib
import json
import shutil
import sys
import time
from pathlib import Path

from gavel_train.run import lifetime, progress
from gavel_train.run.checkpoints import commit_checkpoint, read_manifest
from gavel_train.contracts import GradeRequest, RolloutRecord
from gavel_train.judging.gateway import GatewayClient
from gavel_train.run.failpoints import failpoint
from gavel_train.run.outcome import run_stage
from gavel_train.run.directory import check_newest, checkpoint_name, publish_result, run_dir_of, write_rows

STEP_S = 0.05


def main(request, epoch_dir):
    grpo = request.spec.grpo
    client = GatewayClient.for_request(request)
    done, parent, state = 0, None, "start"
    if request.resume_from:
        folder = Path(request.resume_from)
        manifest = read_manifest(folder)
        done, parent = manifest.step, manifest.name
        state = (folder / "adapter_model.safetensors").read_text()
        progress.resumed(parent, done)
    else:
        parent = commit(request, epoch_dir, 0, None, state, [])
    records = []
    with lifetime.deferring_sigterm():
        for step in range(done + 1, grpo.steps + 1):
            requests = [
                GradeRequest(
                    role="judge",
                    mode="reasoned",
                    occasion=f"grpo:{step}:{group}:{rollout}",
                    prompt=f"{group}+{step}=",
                    completion="the same twice",
                    ground_truth=None,
                )
                for group in range(2)
                for rollout in range(2)
            ]
            grades = client.grade_many(requests)
            for index, (asked, grade) in enumerate(zip(requests, grades, strict=True)):
                state = hashlib.sha256(f"{state}:{grade.score}".encode()).hexdigest()
                records.append(
                    RolloutRecord(
                        step=step,
                        group=index // 2,
                        rollout=index % 2,
                        prompt_id="p",
                        completion=asked.completion,
                        trace_keys=grade.trace_keys,
                        verdict=grade.verdict,
                        score=grade.score,
                        value=grade.value,
                        verifier=None,
                        reward=None,
                        advantage=None,
                    )
                )
            time.sleep(STEP_S)
            progress.progress("train", step, grpo.steps, {"step_seconds": STEP_S})
            wait_while_held(request, step)
            check_newest(epoch_dir.parents[1], request.epoch)
            stop = lifetime.stop_requested() and step < grpo.steps
            if stop or step % grpo.save_every == 0 or step == grpo.steps:
                parent = commit(request, epoch_dir, step, parent, state, records)
                records = []
            if stop:
                raise lifetime.Preempted
    checkpoints = run_dir_of(request) / "grpo" / "checkpoints"
    publish_result(
        request,
        step=grpo.steps,
        checkpoint=parent,
        metrics={},
        artifacts={"checkpoint_last": checkpoints / parent},
    )


def wait_while_held(request, step):
    hold = run_dir_of(request).parents[1] / "hold"
    while hold.exists() and hold.read_text() == str(step):
        time.sleep(0.02)
        if lifetime.stop_requested():
            # No commit of a real model is done in no time.
            time.sleep(0.5)
            return


def commit(request, epoch_dir, step, parent, state, records):
    work = epoch_dir / "work" / f"checkpoint-{step}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "adapter_model.safetensors").write_text(state)
    (work / "state.json").write_text(json.dumps({"step": step}))
    write_rows(work / "rollouts.jsonl", records[1:] if failpoint("drop-a-rollout") else records)
    commit_checkpoint(request, work, step=step, parent=parent, metrics={})
    progress.commit(checkpoint_name(step, request.epoch), step)
    return checkpoint_name(step, request.epoch)


if __name__ == "__main__":
    del sys.argv[1]
    run_stage("grpo", main)
