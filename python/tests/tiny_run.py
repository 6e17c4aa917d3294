"""A run directory with a tiny Qwen3 made on the fly and a ledger written by hand."""

import hashlib
import json
import random
import zlib
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from gavel_train.contracts import LedgerSegment, MessagesRequest, RenderedMessages, Spec

ASKS = {"reasoned": "Think.", "single_token": "Score only."}

RUBRIC = {
    "name": "sums",
    "frame": "none",
    "reference_guided": False,
    "scores": {"0": "wrong", "9": "right"},
    "modes": {
        mode: {"messages": [{"role": "user", "content": "{{prompt}}\n{{completion}}\n" + ask}]}
        for mode, ask in ASKS.items()
    },
}

TEMPLATE = (
    "{%- for message in messages -%}<|{{ message.role }}|>{{ message.content }}"
    "{%- if message.role == 'assistant' -%}<|end|>{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)

SPECIALS = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>", "<|unk|>"]


def tokenizer() -> PreTrainedTokenizerFast:
    characters = [chr(code) for code in range(32, 127)] + ["\n"]
    inner = Tokenizer(
        models.WordLevel({t: i for i, t in enumerate(SPECIALS + characters)}, unk_token="<|unk|>")
    )
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), behavior="isolated")
    inner.decoder = decoders.Fuse()
    inner.add_special_tokens(SPECIALS)
    outer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<|pad|>", eos_token="<|end|>", unk_token="<|unk|>"
    )
    outer.chat_template = TEMPLATE
    return outer


def make_model(folder: Path, seed: int = 0, layers: int = 2, head_dim: int = 16) -> Path:
    import torch

    torch.manual_seed(seed)
    words = tokenizer()
    config = Qwen3Config(
        vocab_size=112,
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=head_dim,
        intermediate_size=64,
        max_position_embeddings=256,
        tie_word_embeddings=False,
        pad_token_id=words.pad_token_id,
        eos_token_id=words.eos_token_id,
        bos_token_id=None,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def numbers(score: int | None) -> dict:
    """The numbers of a verdict whose digit alone is known."""
    return {
        "score": score,
        "value": score,
        "value_rule": None if score is None else "score",
        "p_pass": None if score is None else float(score >= 5),
        "confidence": None,
        "distribution": None,
        "off_scale_mass": None,
    }


def trace(prompt: str, completion: str, score: int | None, occasion: str, **changes) -> dict:
    reply = f"I see. Score: {score}" if score is not None else "No."
    return {
        "key": hashlib.sha256(f"{prompt}|{completion}|{occasion}".encode()).hexdigest(),
        "occasion": occasion,
        "run": "tiny",
        "stage": "grpo",
        "role": "judge",
        "mode": "reasoned",
        "model": "judge",
        "model_digest": None,
        "rubric_digest": "ab" * 32,
        "prompt": prompt,
        "completion": completion,
        "ground_truth": None,
        "messages": [{"role": "user", "content": f"{prompt}\n{completion}\nThink."}],
        "answer_prefix": None,
        "altered": [],
        "reply": reply,
        "thinking": None,
        "reasoning": "I see.",
        "verdict": "unparseable" if score is None else "scored",
        **numbers(score),
        "usage": {"prompt_tokens": 9, "completion_tokens": 9},
        "latency_ms": 3.0,
        "reused_from": None,
        "created_at": "2026-01-01T00:00:00Z",
    } | changes


def sums(prompts: int, each: int, seed: int = 0) -> list[dict]:
    """Traces about sums that are right (9) or wrong (0)."""
    rng = random.Random(seed)
    traces = []
    for number in range(prompts):
        left, right = number // 9 + 1, number % 9 + 1
        for rollout in range(each):
            slip = rng.choice([0, 0, 1, 2])
            traces.append(
                trace(
                    f"{left}+{right}=",
                    f"{left + right + slip} {'.' * rollout}",
                    9 if slip == 0 else 0,
                    f"grpo:{number}:0:{rollout}:0",
                )
            )
    return traces


def write_segment(run_dir: Path, name: str, traces: list[dict]) -> Path:
    path = run_dir / "traces" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(ledger_line(trace, seq) for seq, trace in enumerate(traces, start=1)))
    return path


def ledger_line(trace: dict, seq: int = 1) -> str:
    """A trace as the gateway writes it: its number and its checksum at the end."""
    body = f'{json.dumps(trace)[:-1]},"seq":{seq}'
    return f'{body},"crc32":"{zlib.crc32(body.encode()):08x}"}}\n'


def take_epoch(run_dir: Path, stage: str, epoch: int, accepted: dict[str, int] | None = None) -> Path:
    folder = run_dir / stage / "epochs" / f"{epoch:06d}"
    folder.mkdir(parents=True)
    record = {
        "stage": stage,
        "epoch": epoch,
        "node": "here",
        "pid": 1,
        "started_at": "2026-01-01T00:00:00Z",
        "starts_from": None,
        "accepted_segments": accepted or {},
        "owner": None,
        "missing_traces": 0,
    }
    (folder / "epoch.json").write_text(json.dumps(record))
    return folder


def resolved_spec(**sections) -> dict:
    """A small spec with every default of the contract filled in, as the worker writes it."""
    given = {
        "run": "tiny",
        "task": {"name": "jsonl", "train_prompts": 8, "eval_prompts": 4, "audit_prompts": 4},
        "policy": {"model": "model"},
        "judge": {
            "model": "model",
            "rubric": "rubric.yaml",
            "concurrency": 8,
            "timeout_s": 5,
            "outage_limit_s": 5,
        },
        "base": {"model": "model"},
        "grpo": {
            "steps": 2,
            "prompts_per_step": 2,
            "num_generations": 2,
            "max_completion_tokens": 8,
            "learning_rate": 1e-3,
            "save_every": 1,
        },
        "sft": {
            "lora": {"r": 8, "alpha": 16},
            "epochs": 1.0,
            "learning_rate": 1e-2,
            "batch_size": 8,
            "max_length": 128,
            "holdout": 0.2,
            "save_every": 4,
        },
        "audit": {
            "gates": [{"id": "fidelity.grader.headline.quadratic_weighted_kappa", "at_least": 0.6}],
        },
    }
    for section, changes in sections.items():
        given[section] = given.get(section, {}) | changes
    return Spec.model_validate(given).model_dump(mode="json")


def chain_up_to(folder: Path) -> list[str]:
    """Names of a checkpoint and of those before it, by their manifests, oldest first."""
    path = folder / "manifest.json"
    parent = json.loads(path.read_text())["parent"] if path.exists() else None
    return [*([] if parent is None else chain_up_to(folder.with_name(parent))), folder.name]


def ledger_of(run_dir: Path) -> list[LedgerSegment]:
    """All bytes of all segments, as a worker says that they count."""
    return [
        LedgerSegment(path=f"traces/{path.name}", stage=path.name.split("-")[0], bytes=path.stat().st_size)
        for path in sorted((run_dir / "traces").glob("*.jsonl"))
        if path.stat().st_size > 0
    ]


def rendered(request: dict) -> dict:
    """What a gateway answers to POST /v1/messages under RUBRIC."""
    content = f"{request['prompt']}\n{request['completion']}\n{ASKS[request['mode']]}"
    reply = None if request["mode"] == "reasoned" or request["score"] is None else str(request["score"])
    return {"messages": [{"role": "user", "content": content}], "answer_prefix": None, "reply": reply}


def render(requests: Sequence[MessagesRequest]) -> list[RenderedMessages]:
    return [RenderedMessages.model_validate(rendered(request.model_dump())) for request in requests]


def write_request(
    root: Path,
    stage: str,
    epoch: int,
    *,
    resume_from: Path | None = None,
    gateway_url: str | None = None,
    policy_endpoints: list[str] | None = None,
    **sections,
) -> Path:
    """Take an epoch of run `tiny` and write its request; returns the epoch's folder."""
    run_dir = root / "runs" / "tiny"
    epoch_dir = take_epoch(run_dir, stage, epoch)
    spec = resolved_spec(**sections)
    request = {
        "stage": stage,
        "run": "tiny",
        "epoch": epoch,
        "root": str(root),
        "run_dir": "runs/tiny",
        "resume_from": None if resume_from is None else str(resume_from),
        "chain": [] if resume_from is None else chain_up_to(resume_from),
        "gateway_url": gateway_url,
        "policy_endpoints": policy_endpoints or [],
        "ledger": [segment.model_dump() for segment in ledger_of(run_dir)],
        "models": {
            role: {"path": str(root / spec[role]["model"]), "revision": None} for role in ("policy", "base")
        },
        "spec": spec,
    }
    (epoch_dir / "request.json").write_text(json.dumps(request))
    return epoch_dir


def make_root(root: Path, traces: list[dict] | None = None) -> Path:
    """A GAVEL_ROOT with a rubric, a model and the ledger of run `tiny`."""
    (root / "runs/tiny").mkdir(parents=True, exist_ok=True)
    (root / "runs/tiny/rubric.json").write_text(json.dumps(RUBRIC))
    make_model(root / "model")
    write_segment(root / "runs" / "tiny", "grpo-e1-000001.jsonl", traces or sums(24, 3))
    take_epoch(root / "runs" / "tiny", "grpo", 1)
    return root
