"""Stage 2 as a user of TRL writes it: SFTTrainer on the judge's replies, with LoRA, then the merged model.

`python sft.py INPUTS ROOT OUT --steps N`, after grpo.py. Every reply with a score is an example in both modes
that the spec names; a share of the prompts is held out to measure loss.
"""

from __future__ import annotations

from inputs import Inputs, Row, from_arguments, read_lines
from served import messages_of


def examples(inputs: Inputs) -> tuple[list[Row], list[Row]]:
    """Return what is trained on, and what is held out."""
    sft, different = inputs.spec["sft"], {}
    for row in read_lines(inputs.out / "judged.jsonl"):
        if row["score"] is not None:
            different.setdefault((row["prompt"], row["completion"], row["reply"]), row)
    rows = list(different.values())[: sft["max_examples"]]
    prompts = sorted({row["prompt"] for row in rows})
    held = set(prompts[:: max(2, round(1 / sft["holdout"]))])
    sides: tuple[list[Row], list[Row]] = ([], [])
    for row in rows:
        for mode in sft["modes"]:
            reply = row["reply"] if mode == "reasoned" else str(row["score"])
            sides[row["prompt"] in held].append(
                {
                    "prompt": messages_of(inputs.rubric, mode, row["prompt"], row["completion"]),
                    "completion": [{"role": "assistant", "content": reply}],
                }
            )
    return sides


def main() -> None:
    """Train the adapter, save it, and save the base with it merged in."""
    inputs, arguments = from_arguments(steps=int)
    from datasets import Dataset
    from peft import LoraConfig
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    sft = inputs.spec["sft"]
    rows, held = examples(inputs)
    trainer = SFTTrainer(
        model=inputs.model("base"),
        args=SFTConfig(
            output_dir=str(inputs.out / "sft"),
            model_init_kwargs={"dtype": "float32"},
            bf16=False,
            use_cpu=True,
            dataloader_pin_memory=False,
            max_steps=arguments.steps,
            save_steps=sft["save_every"],
            per_device_train_batch_size=sft["batch_size"],
            per_device_eval_batch_size=sft["batch_size"],
            train_sampling_strategy=sft["train_sampling_strategy"],
            learning_rate=sft["learning_rate"],
            lr_scheduler_type="cosine",
            warmup_steps=min(arguments.steps // 10, 50),
            max_length=sft["max_length"],
            # The stage trains without it on the CPU; TRL's own default, true, would cost the script time.
            gradient_checkpointing=False,
            seed=sft["seed"],
            logging_steps=1,
            report_to="none",
        ),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(held),
        peft_config=LoraConfig(
            r=sft["lora"]["r"],
            lora_alpha=sft["lora"]["alpha"],
            lora_dropout=sft["lora"]["dropout"],
            target_modules=sft["lora"]["target_modules"],
            task_type="CAUSAL_LM",
        ),
    )
    inputs.done("load", examples=len(rows))
    trainer.train()
    inputs.done("train")
    trainer.evaluate()
    inputs.done("evaluate")
    trainer.save_model(str(inputs.out / "grader"))
    merged = trainer.accelerator.unwrap_model(trainer.model).merge_and_unload()
    merged.save_pretrained(str(inputs.out / "grader/merged"))
    trainer.processing_class.save_pretrained(str(inputs.out / "grader/merged"))
    inputs.done("save")


if __name__ == "__main__":
    main()
