"""Stage 1 as a user of TRL writes it: GRPOTrainer, a judge as reward, `save_steps`; then three checkpoints.

`python grpo.py INPUTS ROOT OUT`. Completions of the first, middle and last checkpoint follow, of the audit's
prompts for the judge to grade, and of the eval prompts for the exact check. Of gavel nothing is imported.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from inputs import Inputs, Row, from_arguments, write_lines
from served import Server, stop

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

_SAMPLED_AT_ONCE = 128
_EVAL_COMPLETIONS = 2


def train(inputs: Inputs, judge: Server) -> list[Row]:
    """Train to the last step; return what the judge said of every completion."""
    # In an environment without vLLM, as the trainer's would be, TRL starts in half the time. TRL's lazy
    # package does not show its submodules as attributes.
    setattr(import_module("trl.import_utils"), "is_vllm_available", lambda min_version=None: False)  # noqa: B010
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import set_seed
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    grpo, judged = inputs.spec["grpo"], []

    def judge_reward(prompts: list[Any], completions: list[Any], **_: Any) -> list[float | None]:
        texts = [(a[-1]["content"], b[0]["content"]) for a, b in zip(prompts, completions, strict=True)]
        graded = judge.grade_all(texts, "reasoned")
        judged.extend(
            {"prompt": a, "completion": b, **row} for (a, b), row in zip(texts, graded, strict=True)
        )
        return [None if row["score"] is None else row["score"] / 9 for row in graded]

    def verifier_reward(completions: list[Any], ground_truth: list[str], **_: Any) -> list[float]:
        return [
            float(is_right(one[0]["content"], truth))
            for one, truth in zip(completions, ground_truth, strict=True)
        ]

    # TRL draws the adapter before it seeds.
    set_seed(grpo["seed"])
    lora = grpo["lora"]
    trainer = GRPOTrainer(
        model=inputs.model("policy"),
        args=GRPOConfig(
            output_dir=str(inputs.out / "grpo"),
            model_init_kwargs={"dtype": grpo["dtype"]},
            bf16=grpo["dtype"] == "bfloat16",
            use_cpu=True,
            dataloader_pin_memory=False,
            seed=grpo["seed"],
            max_steps=grpo["steps"],
            save_steps=grpo["save_every"],
            per_device_train_batch_size=grpo["prompts_per_step"] * grpo["num_generations"],
            num_generations=grpo["num_generations"],
            max_completion_length=grpo["max_completion_tokens"],
            temperature=grpo["temperature"],
            learning_rate=grpo["learning_rate"],
            lr_scheduler_type="constant",
            beta=grpo["beta"],
            gradient_checkpointing=grpo["gradient_checkpointing"],
            reward_weights=[grpo["verifier_weight"], 1 - grpo["verifier_weight"]],
            logging_steps=1,
            report_to="none",
        ),
        train_dataset=Dataset.from_list(
            [
                {
                    "prompt": [{"role": "user", "content": row["prompt"]}],
                    "ground_truth": row["ground_truth"],
                }
                for row in inputs.rows("train")
            ]
        ),
        reward_funcs=[verifier_reward, judge_reward],
        peft_config=lora
        and LoraConfig(
            r=lora["r"],
            lora_alpha=lora["alpha"],
            lora_dropout=lora["dropout"],
            target_modules=lora["target_modules"],
            task_type="CAUSAL_LM",
        ),
    )
    inputs.done("load")
    judge.wait()
    inputs.done("judge")
    trainer.train()
    return judged


def is_right(completion: str, ground_truth: str) -> bool:
    """Say whether what follows the last "Answer" or "So" is the ground truth, blanks aside."""
    answer = completion.replace("So", "Answer").rsplit("Answer", 1)[-1]
    return answer.strip(" :.\n").replace(" ", "") == ground_truth.replace(" ", "")


def checkpoints(inputs: Inputs) -> dict[str, Path | None]:
    """Return the folders of the middle and the last checkpoint; the first has the policy's own weights."""
    saved = {int(path.name.rsplit("-", 1)[1]): path for path in (inputs.out / "grpo").glob("checkpoint-*")}
    steps = inputs.spec["grpo"]["steps"]
    middle = min(saved, key=lambda step: abs(2 * step - steps))
    return {"first": None, "middle": saved[middle], "last": saved[max(saved)]}


def sample(inputs: Inputs) -> list[Row]:
    """Return completions of both splits from each checkpoint."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    spec, rows = inputs.spec, []
    words = AutoTokenizer.from_pretrained(inputs.model("policy"), padding_side="left")
    counts = {
        "eval": (_EVAL_COMPLETIONS, spec["grpo"]["temperature"]),
        "audit": (spec["audit"]["completions_per_prompt"], spec["audit"]["temperature"]),
    }
    for label, folder in checkpoints(inputs).items():
        whole = spec["grpo"]["lora"] is None
        start = inputs.model("policy") if folder is None or not whole else folder
        model: Any = AutoModelForCausalLM.from_pretrained(start, dtype=spec["grpo"]["dtype"]).eval()
        if folder is not None and not whole:
            model = PeftModel.from_pretrained(model, str(folder)).eval()
        for split, (count, temperature) in counts.items():
            asked = [row for row in inputs.rows(split) for _ in range(count)]
            for begin in range(0, len(asked), _SAMPLED_AT_ONCE):
                batch = asked[begin : begin + _SAMPLED_AT_ONCE]
                given = words.apply_chat_template(
                    [[{"role": "user", "content": row["prompt"]}] for row in batch],
                    add_generation_prompt=True,
                    padding=True,
                    return_tensors="pt",
                    return_dict=True,
                )
                with torch.inference_mode():
                    ids = model.generate(
                        input_ids=given["input_ids"],
                        attention_mask=given["attention_mask"],
                        do_sample=True,
                        temperature=temperature,
                        top_k=0,
                        max_new_tokens=spec["grpo"]["max_completion_tokens"],
                    )
                texts = words.batch_decode(ids[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
                rows += [
                    {**row, "split": split, "checkpoint": label, "completion": text}
                    for row, text in zip(batch, texts, strict=True)
                ]
    return rows


def main() -> None:
    """Train, sample, grade, write."""
    inputs, _ = from_arguments()
    judge = Server(inputs, "judge", inputs.model("judge"))
    try:
        judged = train(inputs, judge)
        write_lines(inputs.out / "judged.jsonl", judged)
        inputs.done("train")
        rows = sample(inputs)
        inputs.done("sample")
        for row in rows:
            row["verifier"] = is_right(row["completion"], row["ground_truth"])
        audited = [row for row in rows if row["split"] == "audit"]
        graded = judge.grade_all([(row["prompt"], row["completion"]) for row in audited], "reasoned")
        write_lines(inputs.out / "eval-rows.jsonl", [row for row in rows if row["split"] == "eval"])
        write_lines(
            inputs.out / "audit-rows.jsonl",
            [{**row, "judge": one["score"]} for row, one in zip(audited, graded, strict=True)],
        )
        inputs.done("grade", calls=judge.calls, completion_tokens=judge.completion_tokens)
    finally:
        stop(judge)
    inputs.done("stop")


if __name__ == "__main__":
    main()
