"""GRPO as a user of TRL writes it: GRPOTrainer, two reward functions, `resume_from_checkpoint=True`.

Stock on purpose: TRL's own defaults wherever the campaign's spec does not say otherwise, TRL's own saves and
resume, the `openai` client with its own retries, and a reward of 0.0 where a grading call raised. Of gavel
only the demo task is imported, that is its prompts and its verifier.

One thing is added for measuring: JSON lines in `--events`, each with `event` and `time`: started (resumed:
step of the checkpoint that was found, or 0), loaded (step: where training begins), step (step, seconds),
saved (step, seconds), judge_call (step, body: sha256 of the request), zeroed (step, error), done.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
# The judge's concurrency in examples/poly-easy.yaml.
JUDGE_CALLS_AT_ONCE = 64


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what decides the training, as the campaign's spec has it."""
    parser.add_argument("--judge-url", required=True, help="any OpenAI-compatible URL, .../v1")
    parser.add_argument("--judge-model", required=True)
    parser.add_argument("--judge-timeout", type=float, default=60.0, help="one call, seconds")
    parser.add_argument("--rubric", type=Path, default=ROOT / "examples/rubrics/poly-easy.yaml")
    parser.add_argument("--model", type=Path, default=ROOT / "models/poly-easy-policy")
    parser.add_argument("--lora-r", type=int, default=8, help="rank of the adapter; 0 trains all weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--save-every", type=int, default=3)
    parser.add_argument("--prompts-per-step", type=int, default=2)
    parser.add_argument("--num-generations", type=int, default=4)
    parser.add_argument("--max-completion-tokens", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.00025)
    parser.add_argument("--train-prompts", type=int, default=1024)


class Events:
    """The event file: one appended line each, in the file before the next thing happens."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, event: str, **fields: Any) -> None:
        """Append one event; a single write, so that a kill leaves no torn line behind."""
        line = json.dumps({"event": event, "time": time.time(), **fields})
        os.write(self._file, f"{line}\n".encode())


def judge_reward(arguments: argparse.Namespace, events: Events) -> Any:
    """Return the reward function that asks the judge: score / 9, and 0.0 where that raised."""
    import yaml
    from openai import OpenAI

    rubric = yaml.safe_load(arguments.rubric.read_text(encoding="utf-8"))
    template = rubric["modes"]["reasoned"]["messages"]
    client = OpenAI(base_url=arguments.judge_url, timeout=arguments.judge_timeout)

    def ask(question: str, completion: str, step: int) -> float:
        values = {"prompt": question, "completion": completion}
        messages = [
            {
                "role": message["role"],
                "content": re.sub(
                    r"\{\{\s*(prompt|completion)\s*\}\}", lambda name: values[name[1]], message["content"]
                ),
            }
            for message in template
        ]
        request = {
            "model": arguments.judge_model,
            "messages": messages,
            "temperature": 0,
            "max_tokens": 64,
        }
        body = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        events.write("judge_call", step=step, body=body)
        try:
            reply = client.chat.completions.create(**request)
            # No score in the reply raises as well, and becomes the same 0.0.
            return int(re.findall(r"[Ss]core:\s*([0-9])", reply.choices[0].message.content)[-1]) / 9
        except Exception as error:
            # The pattern under test, as rewards are commonly written: training goes on, with a lie.
            events.write("zeroed", step=step, error=type(error).__name__)
            return 0.0

    def judge(prompts: list[Any], completions: list[Any], trainer_state: Any, **_: Any) -> list[float]:
        step = trainer_state.global_step + 1
        with ThreadPoolExecutor(JUDGE_CALLS_AT_ONCE) as pool:
            return list(
                pool.map(
                    lambda pair: ask(pair[0][-1]["content"], pair[1][0]["content"], step),
                    zip(prompts, completions, strict=True),
                )
            )

    return judge


def verifier_reward(completions: list[Any], ground_truth: list[str], **_: Any) -> list[float]:
    """Return 1.0 for each right answer, 0.0 for each wrong one."""
    from gavel_train.tasks.poly_easy import verify

    return [
        float(verify(one[0]["content"], truth)) for one, truth in zip(completions, ground_truth, strict=True)
    ]


def main(arguments: argparse.Namespace) -> None:
    """Train to the last step, from the newest checkpoint in the output folder where there is one."""
    from transformers.trainer_utils import get_last_checkpoint

    events = Events(arguments.events)
    found = get_last_checkpoint(arguments.out) if arguments.out.is_dir() else None
    events.write("started", resumed=int(found.rsplit("-", 1)[1]) if found else 0)

    # A user's environment would hold no vLLM: the judge is a URL. Importing it would double the start-up.
    from gavel_train.policy.trl_imports import hide_vllm

    hide_vllm()
    from datasets import Dataset
    from gavel_train.tasks.poly_easy import make_splits
    from peft import LoraConfig
    from transformers import TrainerCallback, set_seed
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    class Measure(TrainerCallback):
        """Writes what happened to the event file; changes nothing."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            events.write("loaded", step=state.global_step)

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.began = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.ended = time.monotonic()
            events.write("step", step=state.global_step, seconds=self.ended - self.began)

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            events.write("saved", step=state.global_step, seconds=time.monotonic() - self.ended)

    # TRL draws the adapter before it seeds: without this line two undisturbed runs differ.
    set_seed(arguments.seed)
    rows = make_splits({}, {"train": arguments.train_prompts}, 0, ROOT)["train"]
    trainer = GRPOTrainer(
        model=str(arguments.model),
        args=GRPOConfig(
            output_dir=str(arguments.out),
            model_init_kwargs={"dtype": "float32"},
            bf16=False,
            use_cpu=True,
            dataloader_pin_memory=False,
            seed=arguments.seed,
            max_steps=arguments.steps,
            save_steps=arguments.save_every,
            per_device_train_batch_size=arguments.prompts_per_step * arguments.num_generations,
            num_generations=arguments.num_generations,
            max_completion_length=arguments.max_completion_tokens,
            learning_rate=arguments.learning_rate,
            reward_weights=[0.5, 0.5],
            logging_steps=1,
            report_to="none",
        ),
        train_dataset=Dataset.from_list(
            [
                {
                    "prompt": [{"role": "user", "content": row["prompt"]}],
                    "ground_truth": row["ground_truth"],
                }
                for row in rows
            ]
        ),
        reward_funcs=[verifier_reward, judge_reward(arguments, events)],
        peft_config=LoraConfig(
            r=arguments.lora_r,
            lora_alpha=2 * arguments.lora_r,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        if arguments.lora_r
        else None,
        callbacks=[Measure()],
    )
    trainer.train(resume_from_checkpoint=True if found else None)
    trainer.save_model()
    events.write("done")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Stock TRL, one process; stock.py kills and restarts it.")
    add_training_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="TRL's output_dir")
    parser.add_argument("--events", type=Path, required=True)
    main(parser.parse_args())
