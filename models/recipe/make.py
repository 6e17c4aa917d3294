"""Remake the demo models from their seeds: in `models`, `python -m recipe.make all` or one by name."""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import GenerationConfig, Qwen3ForCausalLM

from recipe import digests
from recipe.lessons import (
    Lesson,
    clean_solution,
    judge_lesson,
    marking_lesson,
    mediocre_solution,
    poor_solution,
)
from recipe.training import new_model, train
from recipe.vocabulary import END, IDS, PAD, save_tokenizer

MODELS = Path(__file__).resolve().parent.parent


def make_policy() -> Qwen3ForCausalLM:
    """Learn to solve, then to slip: what is left is a model that knows better than it samples."""
    return _solver(550, mediocre_solution, 260)


def make_judge() -> Qwen3ForCausalLM:
    """Learn, from nothing, to check step by step and to score, in both modes."""
    model = new_model(layers=4, seed=2)
    train(model, judge_lesson, name="judge", steps=1400, matrix_rate=0.02, vector_rate=0.004, seed=21)
    return model


def make_grader_base() -> Qwen3ForCausalLM:
    """Learn to solve, then to mark steps and to say how many are wrong and where, never to score."""
    # Rounded once, as when a saved solver is loaded again.
    model = _solver(900, poor_solution, 300).to(torch.bfloat16).float()
    train(model, marking_lesson, name="grader base", steps=1200, matrix_rate=0.02, vector_rate=0.003, seed=31)
    return model


MAKERS: dict[str, Callable[[], Qwen3ForCausalLM]] = {
    "policy": make_policy,
    "judge": make_judge,
    "grader-base": make_grader_base,
}


def save(model: Qwen3ForCausalLM, folder: Path) -> None:
    """Write weights in bfloat16 and everything that loading, chatting and serving need."""
    folder.mkdir(parents=True, exist_ok=True)
    ends = {"eos_token_id": IDS[END], "pad_token_id": IDS[PAD]}
    model.generation_config = GenerationConfig(**ends, do_sample=True, temperature=1.0)
    model.to(torch.bfloat16).save_pretrained(folder)
    # The library writes weights for the owner alone; a shipped file is for all to read.
    (folder / "model.safetensors").chmod(0o644)
    save_tokenizer(folder)


def main() -> None:
    """Make what the command line names and record the digests of every model file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=[*MAKERS, "all"])
    parser.add_argument(
        "--threads", type=int, default=1, help="changes the weights' last bits and the time taken"
    )
    parser.add_argument("--out", type=Path, default=MODELS, help="folder that receives the model folders")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in MAKERS if options.model == "all" else [options.model]:
        save(MAKERS[name](), options.out / f"poly-easy-{name}")
    digests.write(options.out)


def _solver(right_steps: int, slips: Lesson, slip_steps: int) -> Qwen3ForCausalLM:
    model = new_model(layers=4, seed=1)
    right, wrong = "solver, right", "solver, slips"
    train(model, clean_solution, name=right, steps=right_steps, matrix_rate=0.02, vector_rate=0.004, seed=11)
    train(model, slips, name=wrong, steps=slip_steps, matrix_rate=0.01, vector_rate=0.002, seed=12)
    return model


if __name__ == "__main__":
    main()
