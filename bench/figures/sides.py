"""The sides of a training figure: stock TRL with an async reward function, and gavel's own GRPO stage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

# Imported before TRL: it hides vLLM from TRL.
from figures.stock import GRPOTrainer
from gavel_train.contracts import Grade, GradeRequest, StageRequest

KEY = "bench"


def train(stock: bool, request: StageRequest, epoch_dir: Path, trainer_class: type[GRPOTrainer]) -> None:
    """Run the request's steps, with `trainer_class` in the place of TRL's trainer on both sides."""
    if stock:
        _train_stock(request, epoch_dir, trainer_class)
        return
    from trl.trainer import grpo_trainer

    from gavel_train.judging.gateway import GatewayClient
    from gavel_train.policy import grpo

    usual = grpo_trainer.GRPOTrainer
    client = GatewayClient(str(request.gateway_url), KEY, concurrency=request.spec.judge.concurrency)
    grpo_trainer.GRPOTrainer = trainer_class
    try:
        grpo.train(request, epoch_dir, client, None)
    finally:
        grpo_trainer.GRPOTrainer = usual
        client.close()


def _train_stock(request: StageRequest, epoch_dir: Path, trainer_class: type[GRPOTrainer]) -> None:
    """Train with the arguments that gavel gives TRL, and TRL's own sampling."""
    from datasets import Dataset
    from transformers import PrinterCallback, set_seed

    from gavel_train.policy.grpo import prompt_order
    from gavel_train.policy.model import load_policy, load_tokenizer, lora_config
    from gavel_train.policy.trl_config import trl_config
    from gavel_train.run.directory import read_prompts, run_dir_of

    grpo = request.spec.grpo
    order = prompt_order(read_prompts(run_dir_of(request), "train"), grpo)
    set_seed(grpo.seed)
    trainer = trainer_class(
        model=load_policy(request),
        args=trl_config(request.spec, output_dir=epoch_dir / "work", run_name=request.run),
        processing_class=load_tokenizer(request),
        train_dataset=Dataset.from_list([{"prompt": row.prompt} for row in order]),
        reward_funcs=_judge(f"{request.gateway_url}", grpo.num_generations),
        peft_config=lora_config(grpo.lora) if grpo.lora else None,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def _judge(url: str, group: int) -> Callable[..., Any]:
    async def judge(
        prompts: list[str], completions: list[str], trainer_state: Any, **_: Any
    ) -> list[float | None]:
        """Ask for all verdicts of the batch at once, as TRL's documentation has it."""

        async def value(session: aiohttp.ClientSession, position: int) -> float | None:
            occasion = f"grpo:{trainer_state.global_step + 1}:{position // group}:{position % group}"
            asked = GradeRequest(
                occasion=occasion, prompt=prompts[position], completion=completions[position]
            )
            headers = {"content-type": "application/json"}
            async with session.post("v1/grade", data=asked.model_dump_json(), headers=headers) as answer:
                grade = Grade.model_validate_json(await answer.read())
            return None if grade.value is None else grade.value / 9

        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(f"{url.rstrip('/')}/", connector=connector) as session:
            return await asyncio.gather(*(value(session, position) for position in range(len(prompts))))

    return judge
