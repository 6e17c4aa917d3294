"""TRL's SFTTrainer with what gavel adds: weights of examples, soft targets and a fixed order.

Shape suffixes: B examples, T tokens, V vocabulary, S soft targets.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer

from gavel_train.grader.examples import Example
from gavel_train.grader.soft_targets import SoftTarget, soft_targets

IGNORED = -100
# What of a batch the model itself does not take.
_FOR_THE_LOSS = {"labels", "loss_weight", "soft_places", "soft_shares"}

# Batches whose examples are sorted by length together: enough for little padding, few enough to keep batches
# random.
_POOL_BATCHES = 16


@dataclass(frozen=True)
class Encoded:
    """Token ids of one example, the labels (IGNORED on what is given), and how much its loss counts.

    `soft` are targets that take the place of the label at their positions.
    """

    input_ids: list[int]
    labels: list[int]
    loss_weight: float
    soft: tuple[SoftTarget, ...] = ()


def encode(tokenizer: PreTrainedTokenizerBase, example: Example, template: Mapping[str, Any]) -> Encoded:
    """Token ids exactly as a server sees them: prompt up to the generation prompt, reply, end of text.

    `template` are arguments of the chat template (`grader.chat_template_kwargs`): those that the server gets.

    The reply follows the generation prompt directly and is tokenised by itself, as it will be generated. A
    whole conversation rendered by the template would not do: Qwen3's template puts an empty think block
    before a reply that it does not put into the generation prompt, so that the first token taught would
    never be the first one asked for.
    """
    rendered = _rendered(tokenizer, example, template)
    given = tokenizer(rendered, add_special_tokens=False)["input_ids"]

    def whole(reply: str) -> list[Any]:
        # A reply that spells a control token, because it quotes one, must not end in the middle.
        ids = tokenizer(reply, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        return [*ids, tokenizer.eos_token_id]

    taught = whole(example.reply)
    candidates = [(whole(reply), mass) for reply, mass in example.candidates()]
    return Encoded(
        [*given, *taught],
        [IGNORED] * len(given) + taught,
        example.weight,
        tuple(soft_targets(taught, candidates, first=len(given))),
    )


def _rendered(tokenizer: PreTrainedTokenizerBase, example: Example, template: Mapping[str, Any]) -> str:
    messages, how = example.messages, {"add_generation_prompt": True}
    if example.answer_prefix is not None:
        # As a server goes on with a message that it is given.
        messages = [*messages, {"role": "assistant", "content": example.answer_prefix}]
        how = {"continue_final_message": True}
    return str(tokenizer.apply_chat_template(messages, tokenize=False, **how, **template))


def training_order(
    lengths: Sequence[int], batch_size: int, epochs: float, seed: int, *, strategy: str = "group_by_length"
) -> list[int]:
    """Indices for a whole training, a multiple of batch_size long, each example once in a pass.

    `group_by_length`: batches of like length in random order; `random`: examples in random order. The order
    is fixed before the first step, so a resumed run skips exactly what was done.
    """
    rng = random.Random(seed)
    wanted = max(1, round(epochs * len(lengths) / batch_size)) * batch_size
    drawn: list[int] = []
    while len(drawn) < wanted:
        drawn.extend(rng.sample(range(len(lengths)), len(lengths)))
    del drawn[wanted:]
    if strategy == "random":
        return drawn
    order: list[int] = []
    for start in range(0, wanted, _POOL_BATCHES * batch_size):
        pool = sorted(
            drawn[start : start + _POOL_BATCHES * batch_size], key=lambda index: (lengths[index], index)
        )
        batches = [pool[i : i + batch_size] for i in range(0, len(pool), batch_size)]
        rng.shuffle(batches)
        order.extend(index for batch in batches for index in batch)
    return order


def dataset_of(rows: Sequence[Encoded], order: Sequence[int] | None = None) -> Dataset:
    """An in-memory data set of the rows, in an order that may repeat them."""
    columns: dict[str, list[Any]] = {
        name: [getattr(row, name) for row in rows] for name in ("input_ids", "labels", "loss_weight")
    }
    if any(row.soft for row in rows):
        columns["soft_places"] = [[[one.position, one.token] for one in row.soft] for row in rows]
        columns["soft_shares"] = [[one.share for one in row.soft] for row in rows]
    dataset = Dataset.from_dict(columns)
    return dataset if order is None else dataset.select(list(order))


class WeightedCollator(DataCollatorForLanguageModeling):
    """TRL's collator, which also carries the weight of each example and its soft targets."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Pad a batch on the right and add loss_weight, [B], and soft targets where there are any.

        These are soft_places, [S, 3]: row, position, token; and soft_shares, [S].
        """
        batch = super().torch_call(examples)
        batch["loss_weight"] = torch.tensor([example["loss_weight"] for example in examples])
        places = [
            [row, *place] for row, example in enumerate(examples) for place in example.get("soft_places", ())
        ]
        if places:
            shares = [share for example in examples for share in example["soft_shares"]]
            batch["soft_places"], batch["soft_shares"] = torch.tensor(places), torch.tensor(shares)
        return batch


def _soft_difference(
    logits_BTV: torch.Tensor, labels_BT: torch.Tensor, places_S3: torch.Tensor, shares_S: torch.Tensor
) -> torch.Tensor:
    """Return what turns the loss on labels into the loss on soft targets, [B, T], 0 elsewhere.

    With logits z and shares q that add up to 1, (lse - sum q_k z_k) - (lse - z_label) =
    sum q_k (z_label - z_k): the softmax need not be computed again.
    """
    row_S, position_S, token_S = places_S3.unbind(dim=1)
    # Logits predict the token after their own.
    at_S = row_S, position_S - 1
    # Looked up at once: the gradient of each look-up is as large as all logits.
    label_S, other_S = logits_BTV[*at_S, torch.stack((labels_BT[at_S], token_S))]
    zeros_BT = torch.zeros_like(logits_BTV[..., 0])
    return zeros_BT.index_put(at_S, shares_S * (label_S - other_S), accumulate=True)


class GraderTrainer(SFTTrainer):
    """SFTTrainer whose loss is the weighted mean over examples of the mean loss of each reply.

    The usual mean over tokens would drown a one-digit reply among the tokens of reasoned ones. At a position
    with soft targets the loss is the cross-entropy to them over the whole vocabulary: their KL divergence
    plus their entropy, which is constant. Over the answers alone, nothing would teach the grader to
    answer with one of them.
    """

    # The loss is divided by the examples of the whole step, and not again by its micro-batches.
    loss_is_scaled_for_ga = True
    _loss_weight_B: torch.Tensor

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the loss, from logits of the replies alone.

        Logits begin one token before the first reply of the batch does: they and their gradient, over the
        whole vocabulary, are the costliest part of a small model's step, and prompts have no loss.
        """
        self._loss_weight_B, labels_BT = inputs["loss_weight"], inputs["labels"]
        given = {name: value for name, value in inputs.items() if name not in _FOR_THE_LOSS}
        first = max(1, int((labels_BT != IGNORED).int().argmax(dim=1).min()))
        labels_BT = labels_BT[:, first - 1 :]
        outputs = model(**given, use_cache=False, logits_to_keep=labels_BT.shape[1])
        self._note_accuracy(outputs.logits, labels_BT)
        soft = None
        if "soft_places" in inputs:
            places_S3 = inputs["soft_places"] - torch.tensor([0, first - 1, 0]).to(inputs["soft_places"])
            soft = places_S3, inputs["soft_shares"]
        loss = self._weighted_loss(outputs, labels_BT, soft)
        return (loss, outputs) if return_outputs else loss

    def _weighted_loss(
        self, outputs: Any, labels: torch.Tensor, soft: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> torch.Tensor:
        logits_BTV, labels_BT = outputs.logits[:, :-1].float(), labels[:, 1:]
        taught_BT = labels_BT != IGNORED
        loss_BT = torch.nn.functional.cross_entropy(
            logits_BTV.flatten(0, 1), labels_BT.flatten(), ignore_index=IGNORED, reduction="none"
        ).view_as(labels_BT)
        if soft is not None:
            loss_BT = loss_BT + _soft_difference(logits_BTV, labels_BT, *soft)
        loss_B = loss_BT.sum(1) / taught_BT.sum(1).clamp(min=1)
        loss = (loss_B * self._loss_weight_B).sum()
        # In training the Trainer sums micro-batches and averages over ranks, in evaluation over examples.
        counted = len(loss_B)
        if self.model is not None and self.model.training:
            counted = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return loss / counted

    @torch.no_grad()
    def _note_accuracy(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Have TRL log the share of taught tokens that are the likeliest, under its own name for it."""
        taught_BT = labels[:, 1:] != IGNORED
        right_BT = (logits[:, :-1].argmax(dim=-1) == labels[:, 1:]) & taught_BT
        counts = torch.stack([right_BT.sum(), taught_BT.sum()])
        right, taught = torch.as_tensor(self.accelerator.gather(counts)).view(-1, 2).sum(dim=0).tolist()
        mode = "train" if self.model is not None and self.model.training else "eval"
        self._metrics[mode]["mean_token_accuracy"].append(right / max(1, taught))

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write none: gavel writes the grader's card, once and with figures."""
