import json
from pathlib import Path

import pytest
from grpo_run import rollouts, start
from tiny_run import resolved_spec

from gavel_train.run import prepare

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "gsm8k"


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"NO GSM8K DATA at {SHARED}: no step is made on real prompts")
def test_two_steps_on_real_gsm8k_prompts_are_judged_and_committed(root, gateways):
    run_dir = root / "runs/tiny"
    task = {
        "name": "gsm8k",
        "path": str(SHARED),
        "params": {},
        "train_prompts": 6,
        "eval_prompts": 2,
        "audit_prompts": 2,
    }
    (run_dir / "spec.json").write_text(json.dumps(resolved_spec(task=task)))
    prepare.main(run_dir, root)
    gateway = gateways(run_dir)
    stage = start(root, 1, gateway, steps=2, save_every=1, max_completion_tokens=4, task=task)
    assert stage.wait() == 0, (stage.epoch_dir / "stderr").read_text()[-3000:]
    records = rollouts(root, "step-000002.e1")
    assert len(records) == 16
    assert all(
        record["prompt_id"].startswith("gsm8k-train-") and record["verifier"] == 0 for record in records
    )
    audit = [json.loads(line) for line in (stage.epoch_dir / "audit-rows.jsonl").read_text().splitlines()]
    assert {row["prompt_id"].rsplit("-", 1)[0] for row in audit} == {"gsm8k-test"}
    assert all('"#### "' in request["prompt"] for request in gateway.asked)
