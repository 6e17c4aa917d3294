"""What the model of a step's time counts against what PyTorch computes and launches."""

import pytest
import torch
from counted import Counter, Counts
from peft import LoraConfig, get_peft_model
from shapes import config_of
from transformers import AutoConfig, AutoModelForCausalLM
from trl.trainer.utils import add_fused_lm_head

from gavel_train.contracts import LoraSpec
from gavel_train.fit.roofline import Work
from gavel_train.fit.shape import from_config
from gavel_train.fit.step_work import Texts, cached_rollout, update
from gavel_train.fit.training import Training
from gavel_train.rollouts.cached import CachedEngine
from gavel_train.rollouts.engine import Sampling

PROMPTS, GROUP, PROMPT, COMPLETION, VOCABULARY = 2, 4, 24, 12, 1024
ROWS = PROMPTS * GROUP
RANK = 8


@pytest.fixture(scope="module", params=[None, RANK], ids=["all weights", "adapter"])
def policy(request):
    """A model in training, its shape, and its adapter or None."""
    config = config_of(hidden=96, layers=3, heads=4, key_heads=2, ffn=256, vocabulary=VOCABULARY)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), dtype=torch.float32)
    shape = from_config(config, {name: (tuple(one.shape), 4) for name, one in model.named_parameters()})
    lora = None
    # As GRPOTrainer does, before it puts an adapter on.
    add_fused_lm_head(model, outputs=("log_probs", "entropy"))
    if request.param is not None:
        lora = LoraSpec(r=RANK, alpha=16, dropout=0.0, target_modules="all-linear")
        adapter = LoraConfig(r=RANK, target_modules="all-linear", task_type="CAUSAL_LM")
        model = get_peft_model(model, adapter)
        model.enable_input_require_grads()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    return model.train(), shape, lora


def held(work: list[Work], found: Counts) -> None:
    # No formula of PyTorch counts the flops of its fused attention.
    fused = sum(one.flops for one in work if one.name in ("attention", "prompts' attention"))
    assert sum(one.flops for one in work) - fused == pytest.approx(found.flops, rel=0.05)
    moved = sum(one.bytes for one in work if one.flops == 0)
    assert moved == pytest.approx(found.other_bytes, rel=0.25)
    assert sum(one.kernels for one in work) == pytest.approx(found.kernels, rel=0.25)


def test_a_cached_rollout_computes_moves_and_launches_what_is_counted(policy):
    model, shape, lora = policy
    distinct = torch.randint(2, VOCABULARY, (PROMPTS, PROMPT)).tolist()
    engine = CachedEngine(model, device=torch.device("cpu"))
    with Counter() as counter:
        found = list(engine.generate([one for one in distinct for _ in range(GROUP)], Sampling(COMPLETION)))
    assert sum(len(one.token_ids) for one in found) == ROWS * COMPLETION
    adapter = 0 if lora is None else shape.adapter_parameters(lora.r, lora.target_modules)
    texts = Texts(PROMPTS, ROWS, PROMPT, COMPLETION, COMPLETION)
    held(cached_rollout(shape, texts, 4, adapter=adapter), counter.counts)


def test_an_update_computes_moves_and_launches_what_is_counted(policy):
    model, shape, lora = policy
    ids = torch.randint(2, VOCABULARY, (ROWS, PROMPT + COMPLETION))
    trained = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    with Counter() as counter:
        train_once(model, ids)
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
    training = Training(
        shape=shape,
        prompt_tokens=PROMPT,
        completion_tokens=COMPLETION,
        rows=ROWS,
        micro_batch=ROWS,
        num_generations=GROUP,
        mixed=False,
        checkpointing=True,
        lora=lora,
    )
    held(update(training), counter.counts)


def train_once(model, ids: torch.Tensor) -> None:
    """One micro batch as GRPOTrainer scores it: log-probabilities of completions, and their entropies."""
    labels = ids.clone()
    labels[:, :PROMPT] = -100
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    logps = model(**given, fused_lm_head=True).log_probs[:, -COMPLETION:]
    (logps - logps.detach()).exp().mean().backward()
