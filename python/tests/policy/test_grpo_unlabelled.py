import json

from grpo_run import rollouts, start
from tiny_run import resolved_spec

from gavel_train.audit.__main__ import _further_samples
from gavel_train.run import prepare
from gavel_train.run.results import read_artifact, read_result

TASK = {
    "name": "poly_easy",
    "params": {},
    "train_prompts": 4,
    "eval_prompts": 2,
    "audit_prompts": 2,
    "unlabelled_fraction": 0.5,
    "evaluate_on": [
        {
            "name": "poly_easy",
            "label": "wide",
            "params": {"kinds": {"evaluate": 1}, "x": [20, 40]},
            "prompts": 3,
        }
    ],
}


def test_a_step_on_half_labelled_prompts_and_the_evaluation_on_a_further_task(root, gateways):
    run_dir = root / "runs/tiny"
    (run_dir / "spec.json").write_text(json.dumps(resolved_spec(task=TASK)))
    prepare.main(run_dir, root)
    gateway = gateways(run_dir)
    stage = start(root, 1, gateway, steps=2, save_every=1, max_completion_tokens=4, task=TASK)
    assert stage.wait() == 0, (stage.epoch_dir / "stderr").read_text()[-3000:]

    records = rollouts(root, "step-000002.e1")
    hidden = [record for record in records if record["hidden_verifier"] is not None]
    assert len(records) == 16 and len(hidden) == 8
    assert all(record["verifier"] is None for record in hidden)
    trained = [request for request in gateway.asked if request["occasion"].startswith("grpo:")]
    assert sum(request["ground_truth"] is None for request in trained) == 8
    steps = [line["metrics"] for line in stage.lines() if line.get("phase") == "train"]
    assert any(step.get("unlabelled", 0) > 0 and "verifier_accuracy_unlabelled" in step for step in steps)

    result = read_result(run_dir, "grpo")
    assert {f"eval_on_wide_{label}" for label in ("first", "middle", "last")} <= set(result.metrics)
    rows = read_artifact(run_dir, result, "eval_rows_on_wide")
    answered = [json.loads(line) for line in rows.read_text().splitlines()]
    assert len(answered) == 3 * 3 * 2 and {row["verifier"] for row in answered} <= {0.0, 1.0}
    assert not {row["prompt_id"] for row in answered} & {record["prompt_id"] for record in records}
    samples = _further_samples({"eval_rows_on_wide": rows})
    assert len(samples["wide"].right_N) == 12
