"""Trains a random model of a given shape as the GRPO stage does, and prints its peak memory.

`python trained_here.py SHAPE.json`: the growth of this process's resident memory from before the model is
made, in bytes, as JSON. The trainer, its arguments and its rollouts are the stage's own; only the judge is
replaced, by random rewards, since it takes no memory of this process.
"""

import json
import random
import sys
import tempfile
from pathlib import Path


def status(field: str) -> int:
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(field))
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    # proc(5): 5 resets the peak resident set size to what is resident now.
    Path("/proc/self/clear_refs").write_text("5")


def main(shape: dict) -> dict[str, int]:
    import torch
    from datasets import Dataset
    from tiny_run import resolved_spec, tokenizer
    from transformers import AutoConfig, AutoModelForCausalLM, PrinterCallback, ProgressCallback, set_seed

    from gavel_train.contracts import Spec
    from gavel_train.policy.choose_rollout import cached_engine
    from gavel_train.policy.model import lora_config
    from gavel_train.policy.trl_config import trl_config
    from gavel_train.policy.trl_imports import hide_vllm
    from gavel_train.rollouts.engine import Sampling
    from gavel_train.rollouts.prompts import tokenize

    hide_vllm()
    from trl.trainer.grpo_trainer import GRPOTrainer

    torch.set_num_threads(1)
    spec = Spec.model_validate(resolved_spec(grpo=shape["grpo"]))
    words = tokenizer()
    words.padding_side = "left"
    generator = random.Random(0)
    prompts = [
        "".join(generator.choices("abcdefgh ", k=shape["prompt_tokens"] - 1 - number % 3))
        for number in range(spec.grpo.prompts_per_step * spec.grpo.steps)
    ]
    before = status("VmRSS")
    set_seed(0)
    config = AutoConfig.for_model(**shape["config"])
    dtype = torch.bfloat16 if spec.grpo.dtype == "bfloat16" and spec.grpo.lora is not None else torch.float32
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    engines: list = []

    def rollout(texts: list, trainer: GRPOTrainer) -> dict:
        if not engines:
            engines.append(cached_engine(trainer))
        ids = tokenize(words, texts, {})
        # No token of the random model ends a text, so that every completion has its full length.
        sampling = Sampling(
            max_new_tokens=spec.grpo.max_completion_tokens, temperature=1.0, stop_ids=frozenset()
        )
        out = sorted(engines[0].generate(ids, sampling), key=lambda one: one.index)
        return {"prompt_ids": ids, "completion_ids": [one.token_ids for one in out], "logprobs": None}

    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=model,
            args=trl_config(spec, output_dir=Path(folder), run_name="fit"),
            processing_class=words,
            train_dataset=Dataset.from_list([{"prompt": text} for text in prompts]),
            reward_funcs=lambda completions, **_: [generator.random() for _ in completions],
            rollout_func=rollout,
            peft_config=lora_config(spec.grpo.lora) if spec.grpo.lora else None,
        )
        for noisy in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(noisy)
        forget_peak()
        trainer.train()
    return {"before": before, "peak": status("VmHWM"), "growth": status("VmHWM") - before}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text()))))
