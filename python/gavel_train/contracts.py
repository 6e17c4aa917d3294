# Generated from src/contracts by `npm run contracts`; do not edit.

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AnyUrl, BaseModel, ConfigDict, Field, RootModel, StringConstraints


class Contracts(RootModel[Any]):
    root: Annotated[Any, Field(title="Contracts")]


class Label(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        regex_engine="python-re",
    )
    label: Annotated[
        str,
        Field(
            description="What the model answers. One token in its vocabulary, or no probabilities are known.",
            pattern="^(?![0-9]$)[^\\s.!]+$",
        ),
    ]
    score: Annotated[int, Field(description="The score that the label stands for.", ge=0, le=9)]
    meaning: Annotated[str, Field(description="What {{labels}} says of it.")] = ""


class MessageTemplate(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    role: Literal["system", "user"]
    content: Annotated[
        str,
        Field(
            description="Text with {{prompt}}, {{completion}}, {{frame}}, {{scores}}, {{labels}} and, if reference-guided, {{ground_truth}}. Mode pairwise has {{completion_a}} and {{completion_b}} in place of {{completion}}."
        ),
    ]


class ModeTemplate(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    messages: Annotated[list[MessageTemplate], Field(min_length=1)]
    answer_prefix: Annotated[
        str | None,
        Field(
            description='Beginning of the answer, for example "Score: ", where the engine can continue a message.',
            min_length=1,
        ),
    ] = None


class PairTemplate(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        regex_engine="python-re",
    )
    messages: Annotated[list[MessageTemplate], Field(min_length=1)]
    answer_prefix: Annotated[
        str | None,
        Field(
            description='Beginning of the answer, for example "Score: ", where the engine can continue a message.',
            min_length=1,
        ),
    ] = None
    first: Annotated[
        str,
        Field(
            description="The answer that says that {{completion_a}} is better, which is shown first.",
            pattern="^(?![0-9]$)[^\\s.!]+$",
        ),
    ] = "A"
    second: Annotated[
        str,
        Field(
            description="The answer that says that {{completion_b}} is better.",
            pattern="^(?![0-9]$)[^\\s.!]+$",
        ),
    ] = "B"
    tie: Annotated[
        str | None,
        Field(
            description="The answer that says that neither is; null: the judge must prefer one.",
            pattern="^(?![0-9]$)[^\\s.!]+$",
        ),
    ] = "C"


class RubricExample(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    prompt: str
    completion: str
    ground_truth: Annotated[
        str | None,
        Field(description="Where the rubric is reference-guided, and only there."),
    ] = None
    score: Annotated[
        int,
        Field(
            description="What it should be given. A mode whose reply is one answer shows the answer that gives this score.",
            ge=0,
            le=9,
        ),
    ]
    reasoning: Annotated[
        str,
        Field(description='The whole reply of a mode that reasons; it ends in the score, as in "Score: 7".'),
    ]


class GateSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    id: Annotated[
        str,
        Field(
            description="part.role.mode.measure of a record in audit.json, where * stands for any text and the mode `headline` for audit.headline_mode. Every record that it matches must pass; without a match, or where it is also about what has no record, the gate is INCONCLUSIVE.",
            min_length=1,
        ),
    ]
    slice: Annotated[
        str,
        Field(
            description="all, or FIELD=VALUE, where * stands for any text; it never matches all.",
            min_length=1,
        ),
    ] = "all"
    at_least: Annotated[
        float | None,
        Field(description="The low bound of the interval must not be below this."),
    ] = None
    at_most: Annotated[
        float | None,
        Field(
            description="The high bound of the interval must not be above this. A gate has this or at_least."
        ),
    ] = None


class PanelSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    votes: Annotated[int, Field(description="Verdicts per completion.", ge=1, le=16)] = 1
    combine: Annotated[
        Literal["mean", "median", "majority"],
        Field(description="How the votes become one verdict."),
    ] = "mean"
    confidence_threshold: Annotated[
        float,
        Field(
            description="A verdict less confident than this has no score.",
            ge=0.0,
            le=1.0,
        ),
    ] = 0


class LimitsSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    heartbeat_timeout_s: Annotated[
        float, Field(description="Silence after which a worker counts as gone.", ge=2.0)
    ] = 10
    node_timeout_s: Annotated[
        float,
        Field(
            description="How long work waits for its node to take it up before another node is asked.",
            gt=0.0,
        ),
    ] = 60
    model_start_timeout_s: Annotated[
        float, Field(description="Longest wait for a served model to answer.", gt=0.0)
    ] = 600
    progress_floor_s: Annotated[
        float,
        Field(
            description="Shortest silence of a trainer that may count as a hang; the deadline itself is learned from its steps.",
            gt=0.0,
        ),
    ] = 300
    load_timeout_s: Annotated[
        float,
        Field(
            description="Longest silence while a trainer loads, before it has shown how long its steps take.",
            gt=0.0,
        ),
    ] = 1800
    max_errors_without_progress: Annotated[
        int,
        Field(
            description="Attempts that end by error without a commit before NoProgress.",
            ge=1,
        ),
    ] = 3


class LoraSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    r: Annotated[int, Field(description="Rank.", ge=1)] = 16
    alpha: Annotated[int, Field(description="Scale; the update is multiplied by alpha / r.", ge=1)] = 32
    dropout: Annotated[
        float,
        Field(
            description="Share of the adapter inputs dropped in training; never in rollouts.",
            ge=0.0,
            le=0.9,
        ),
    ] = 0
    target_modules: Annotated[
        Literal["all-linear"] | list[str],
        Field(description="Layers that get an adapter."),
    ] = "all-linear"


class PlacementSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    judge_gpus: Annotated[
        int,
        Field(
            description="For the judge: judge.serve.tensor_parallel_size x data_parallel_size.",
            ge=0,
        ),
    ] = 0
    rollout_gpus: Annotated[
        int,
        Field(
            description="For grpo.rollout served and vllm_server: policy.serve.tensor_parallel_size x data_parallel_size; each copy has a server of its own.",
            ge=0,
        ),
    ] = 0
    trainer_gpus: Annotated[int, Field(description="For training, one for each process.", ge=0)] = 0
    grader_gpus: Annotated[
        int,
        Field(
            description="For each model that the audit serves: tensor_parallel_size x data_parallel_size of its serve.",
            ge=0,
        ),
    ] = 0


class SamplingSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    temperature: Annotated[
        float, Field(description="0 always takes the likeliest token.", ge=0.0, le=2.0)
    ] = 0
    top_p: Annotated[
        float,
        Field(description="Share of probability that is sampled from.", gt=0.0, le=1.0),
    ] = 1
    top_k: Annotated[
        int,
        Field(
            description="How many of the likeliest tokens are sampled from; 0: all.",
            ge=0,
        ),
    ] = 0
    min_p: Annotated[
        float,
        Field(
            description="Least probability, as a share of the likeliest token's.",
            ge=0.0,
            le=1.0,
        ),
    ] = 0
    repetition_penalty: Annotated[
        float,
        Field(
            description="Above 1, tokens seen before become less likely.",
            gt=0.0,
            le=2.0,
        ),
    ] = 1
    presence_penalty: Annotated[
        float,
        Field(
            description="Taken from the logit of each token written before.",
            ge=-2.0,
            le=2.0,
        ),
    ] = 0
    frequency_penalty: Annotated[
        float,
        Field(description="The same, for each time that it was written.", ge=-2.0, le=2.0),
    ] = 0
    max_tokens: Annotated[int, Field(description="Longest reply, tokens.", ge=1)] = 512


class ServeSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Field(
            description="Precision of the weights; auto takes that of the checkpoint, and half precision for a float32 one."
        ),
    ] = "auto"
    max_model_len: Annotated[int | None, Field(description="Context length, tokens.", ge=1)] = None
    tensor_parallel_size: Annotated[
        int, Field(description="GPUs that share one copy of the model.", ge=1)
    ] = 1
    data_parallel_size: Annotated[int, Field(description="Copies of the model.", ge=1)] = 1
    gpu_memory_utilization: Annotated[
        float | None,
        Field(
            description="Share of a GPU's memory that vLLM may take; null leaves it to vLLM.",
            gt=0.0,
            le=1.0,
        ),
    ] = None
    extra_args: Annotated[
        list[str],
        Field(
            description="Further flags of vLLM, of those that decide speed and memory; a worker allows more with GAVEL_ALLOW_ARGS."
        ),
    ] = []


class SftSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    lora: Annotated[LoraSpec, Field(validate_default=True)] = {}
    qlora: Annotated[bool, Field(description="4-bit base weights; needs a GPU and bitsandbytes.")] = False
    modes: Annotated[
        list[Literal["reasoned", "single_token", "choice", "pairwise"]],
        Field(description="What the grader learns to do.", max_length=4, min_length=1),
    ] = ["reasoned", "single_token"]
    epochs: Annotated[float, Field(description="Passes over the examples; may be a fraction.", gt=0.0)] = 2
    learning_rate: Annotated[float, Field(description="Learning rate of the adapter.", gt=0.0, lt=1.0)] = (
        0.0002
    )
    batch_size: Annotated[int, Field(description="Examples per optimizer step.", ge=1)] = 32
    max_examples: Annotated[int | None, Field(description="Traces used at most; null uses all.", ge=1)] = None
    max_length: Annotated[int, Field(description="Longest example, tokens.", ge=1)] = 2048
    train_sampling_strategy: Annotated[
        Literal["group_by_length", "random"],
        Field(
            description="How examples share a batch. group_by_length: those of like length, for little padding."
        ),
    ] = "group_by_length"
    balance: Annotated[
        Literal["none", "oversample", "weight"],
        Field(description="oversample: rare scores are repeated; weight: their loss counts more."),
    ] = "none"
    targets: Annotated[
        Literal["score", "distribution"],
        Field(
            description="What an answer is taught towards. score: the judge's score alone; distribution: the judge's probabilities of all scores (soft targets), where a trace has them."
        ),
    ] = "score"
    contradicted: Annotated[
        Literal["keep", "drop", "weight"],
        Field(
            description="Traces in which the judge passes what the verifier fails, or fails what it passes. keep: taught like others; drop: left out; weight: their loss counts contradicted_weight times as much. A trace whose prompt has no ground truth is kept."
        ),
    ] = "keep"
    contradicted_weight: Annotated[
        float,
        Field(
            description="contradicted weight: what the loss of such a trace is multiplied by, before weights average to 1.",
            gt=0.0,
            lt=1.0,
        ),
    ] = 0.25
    holdout: Annotated[
        float,
        Field(description="Share of prompts kept out to measure loss.", gt=0.0, lt=0.5),
    ] = 0.1
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Field(
            description="bfloat16 trains in mixed precision. auto: bfloat16 on GPUs that compute in it, else float32."
        ),
    ] = "auto"
    save_every: Annotated[int, Field(description="Steps between checkpoints.", ge=1)] = 50
    keep_checkpoints: Annotated[int, Field(description="Newest checkpoints kept.", ge=1)] = 3
    processes: Annotated[
        int,
        Field(
            description="Ranks; more than one goes through accelerate launch on GPUs, through torchrun on the CPU.",
            ge=1,
        ),
    ] = 1
    seed: Annotated[int, Field(description="Same seed and same traces, same weights.", ge=0)] = 0


class EvaluateOn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    name: Annotated[
        Literal["poly_easy", "gsm8k", "svamp", "gsm_plus", "jsonl", "reasoning_gym"],
        Field(description="As task.name."),
    ]
    label: Annotated[
        str | None,
        Field(
            description="What report and metrics call it; null: its name. No two of the list have the same.",
            pattern="^[a-z][a-z0-9_]{0,39}$",
        ),
    ] = None
    path: Annotated[str | None, Field(description="As task.path.", min_length=1)] = None
    params: Annotated[
        dict[str, Any],
        Field(description="As task.params. Verifier none is refused: nothing would be measured."),
    ] = {}
    prompts: Annotated[
        int,
        Field(
            description="Problems, from the part that the task holds out for audits.",
            ge=1,
        ),
    ] = 200
    seed: Annotated[int, Field(description="As task.seed.", ge=0)] = 0


class TaskSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    name: Annotated[
        Literal["poly_easy", "gsm8k", "svamp", "gsm_plus", "jsonl", "reasoning_gym"],
        Field(description="Which data set module makes the prompts. docs/tasks.md describes each."),
    ]
    path: Annotated[
        str | None,
        Field(
            description="File or folder of the data, under GAVEL_ROOT or absolute; null where the task makes its own data or asks the hub.",
            min_length=1,
        ),
    ] = None
    params: Annotated[
        dict[str, Any],
        Field(description="Difficulty and other settings of the task module, and its verifier."),
    ] = {}
    train_prompts: Annotated[int, Field(description="Prompts that GRPO trains on.", ge=1)] = 1024
    eval_prompts: Annotated[
        int,
        Field(
            description="Held-out prompts that measure the policy before and after.",
            ge=1,
        ),
    ] = 200
    audit_prompts: Annotated[
        int,
        Field(description="Held-out prompts whose completions the audit grades.", ge=1),
    ] = 100
    seed: Annotated[int, Field(description="Same seed, same prompts and splits.", ge=0)] = 0
    unlabelled_fraction: Annotated[
        float,
        Field(
            description="Share of the training prompts whose ground truth is hidden from verifier and judge: there the judge alone rewards.",
            ge=0.0,
            le=1.0,
        ),
    ] = 0
    evaluate_on: Annotated[
        list[EvaluateOn],
        Field(
            description="Further tasks whose problems measure the policy before and after, beside its own held-out prompts.",
            max_length=8,
            validate_default=True,
        ),
    ] = []


class Distribution(RootModel[list[float]]):
    root: Annotated[list[float], Field(max_length=10, min_length=10)]


class PairOrder(RootModel[Literal["ab", "ba"]]):
    root: Literal["ab", "ba"]


class Message(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    role: Literal["system", "user", "assistant", "developer", "tool"]
    content: str


class ServedRole(RootModel[Literal["judge", "grader", "base", "policy"]]):
    root: Literal["judge", "grader", "base", "policy"]


class Usage(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    prompt_tokens: Annotated[int, Field(ge=0)]
    completion_tokens: Annotated[int, Field(ge=0)]


class JournalEntry(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    step: Annotated[int, Field(ge=1)]
    group: Annotated[int, Field(ge=0)]
    rollout: Annotated[int, Field(ge=0)]
    prompt_id: str
    adapter: Annotated[
        str,
        Field(description="Name of the adapter that sampled it, say policy-v000123.e7."),
    ]
    adapter_step: Annotated[int, Field(description="Updates that the adapter has had.", ge=0)]
    adapter_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    token_ids: Annotated[list[int], Field(description="With the token that ended it.", min_length=1)]
    logprobs: Annotated[
        list[float],
        Field(
            description="Log-probability of each token where it was sampled, nats.",
            min_length=1,
        ),
    ]
    ended: Literal["stop", "length"]


class AlarmLine(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    event: Literal["alarm"]
    alarm: Annotated[
        Literal["sampler_drift"],
        Field(
            description="sampler_drift: the log-probabilities of the servers that sample are far from the trainer's."
        ),
    ]
    step: Annotated[int, Field(ge=0)]
    message: str


class CommitLine(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    event: Literal["commit"]
    checkpoint: str
    step: Annotated[int, Field(ge=0)]
    metrics: dict[str, float | None] = {}


class Endpoint(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    role: str
    base_url: Annotated[str, Field(description="Up to and including /v1.", pattern="^[!-~]+$")]
    model: Annotated[str, Field(description="The name that the server knows the model by.")]
    model_digest: str | None
    pid: int | None
    host: str
    api_key_env: Annotated[
        str | None,
        Field(
            description="Name of the variable that holds the key, for people to read; no gateway sends a key because of it."
        ),
    ]
    api_key_file: Annotated[
        str | None,
        Field(
            description="File on that machine, private to its user, with the key of a server that gavel started."
        ),
    ] = None
    started_at: str


class Head(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    checkpoint: str
    step: Annotated[int, Field(ge=0)]
    manifest_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class LedgerSegment(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    path: Annotated[str, Field(description="Under the run directory.")]
    stage: Literal["grpo", "sft", "audit", "serve"]
    bytes: Annotated[int, Field(ge=1)]


class LocatedModel(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    path: Annotated[str, Field(description="Absolute folder, or name of a model on the hub.")]
    revision: Annotated[str | None, Field(description="Commit of the hub model; null for a folder.")]


class ManifestFile(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class MetricLine(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    stage: Literal["grpo", "sft", "audit", "serve"]
    epoch: Annotated[int, Field(ge=1)]
    step: Annotated[int, Field(ge=0)]
    at: str
    metrics: dict[str, float | None]


class Outcome(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    status: Literal["done", "preempted", "bad_request", "judge_away", "policy_away", "failed"]
    message: str
    field: Annotated[str | None, Field(description="bad_request: the spec field to fix.")] = None
    cause: Annotated[
        Literal["preempted", "crashed", "hung", "superseded", "disk_full", "out_of_memory"] | None,
        Field(description="preempted, failed: what ended the attempt."),
    ] = None


class PhaseLine(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    event: Literal["progress"]
    phase: Annotated[
        str,
        Field(description="What is being done: load, train, sample, grade, compute."),
    ]
    step: Annotated[int, Field(ge=0)]
    total: Annotated[int, Field(ge=0)]
    metrics: dict[str, float | None] = {}


class PromptRow(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    id: str
    prompt: Annotated[str, Field(description="The text of the prompt, as the judge reads it.")]
    messages: Annotated[
        list[Message] | None,
        Field(
            description="The conversation that the policy continues; null: one user's message, the prompt."
        ),
    ] = None
    ground_truth: str | None
    hidden_truth: Annotated[
        str | None,
        Field(
            description="The ground truth where task.unlabelled_fraction hides it from reward, judge and export."
        ),
    ] = None
    meta: dict[str, Any]


class ResumedLine(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    event: Literal["resumed"]
    checkpoint: str
    step: Annotated[int, Field(ge=0)]


class StageResult(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    stage: Literal["grpo", "sft", "audit"]
    epoch: Annotated[int, Field(ge=1)]
    step: Annotated[int, Field(ge=0)]
    checkpoint: str | None
    metrics: dict[str, float | None]
    artifacts: Annotated[dict[str, str], Field(description="Name to path under the run directory.")]
    digests: Annotated[
        dict[str, str],
        Field(
            description="Name to sha256: of a file its content, of a folder the sorted lines `path sha256` of its files."
        ),
    ]
    finished_at: str


class WaitingLine(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    event: Literal["waiting"]
    for_: Annotated[Literal["judge", "gateway", "policy", "gpu"], Field(alias="for")]
    seconds: Annotated[float, Field(ge=0.0)]


class LiveProcess(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    role: Literal["worker", "gateway", "vllm", "trainer"]
    pid: int
    host: str
    epoch: int | None


class PreemptionNotice(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    node: Annotated[
        str | None,
        Field(description="Name of the node; null means the one that the stage runs on."),
    ] = None
    seconds: Annotated[float, Field(description="How long no work goes to that node.", gt=0.0)] = 120


class ProgressSignal(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    stage: str
    epoch: Annotated[int, Field(description="Number of the attempt that sends it.")]
    step: int
    total: int
    checkpoint: str | None
    metrics: dict[str, float | None]


class StageState(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    stage: str
    state: Literal["running", "paused"]


class StageStatus(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    state: Literal["pending", "running", "waiting", "paused", "done", "failed"]
    step: int
    total: int
    metrics: dict[str, float | None]
    checkpoint: str | None


class StopRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    reason: str
    at: str


class AuditOverride(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    at: str
    node: str
    reason: Annotated[str, Field(description="What the audit says against it.")]
    model_digest: str


class AuditRow(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    id: Annotated[str, Field(pattern="^[^:]+$")]
    prompt_id: str
    prompt: str
    completion: Annotated[str, Field(description="The completion; of a pair, completion A.")]
    completion_b: Annotated[
        str | None, Field(description="Completion B; null: the row has one completion.")
    ] = None
    ground_truth: str | None = None
    is_correct: bool | None = None
    preference: Annotated[
        Literal["A", "B", "tie"] | None,
        Field(description="Of a pair: which completion is better, in truth."),
    ] = None
    source: Annotated[
        str,
        Field(description="Where the completion comes from, for example step-000060."),
    ]
    fields: Annotated[dict[str, str], Field(description="What the row can be sliced by besides.")] = {}


class Contestant(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    role: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    mode: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    source: Literal["endpoint", "file"]
    file: Annotated[
        str | None,
        Field(description="Path of a JSON Lines file of FileVerdict; null: an endpoint."),
    ] = None
    gpus: Annotated[
        int | None,
        Field(description="GPUs that serve it; null: not known, or none.", ge=1),
    ] = None


class CountTable(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    id: Annotated[
        str,
        Field(
            description="part.role.mode.measure, say fidelity.grader.single_token.quadratic_weighted_kappa.",
            pattern="^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*){3}$",
        ),
    ]
    label: str
    row_label: str
    column_label: str
    rows: list[str]
    columns: list[str]
    cells: list[list[int]]


class Finding(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    id: Annotated[
        str,
        Field(
            description="part.role.mode.measure, say fidelity.grader.single_token.quadratic_weighted_kappa.",
            pattern="^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*){3}$",
        ),
    ]
    text: str


class GradingPass(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    role: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    mode: Literal["reasoned", "single_token", "choice", "pairwise"]
    model: str
    model_digest: Annotated[
        str | None,
        Field(
            description="Digest of the weights that answered; null where a server gives none. gavel serve refuses other weights."
        ),
    ] = None
    rows: Annotated[int, Field(ge=0)]
    rows_digest: Annotated[str | None, Field(description="sha256 of the rows with their ids, in order.")] = (
        None
    )
    traces_digest: Annotated[
        str | None,
        Field(description="sha256 of the keys of the traces behind each verdict, in order."),
    ] = None
    asked: Annotated[
        int,
        Field(
            description="Rows that the model was asked about; the rest came from the ledger.",
            ge=0,
        ),
    ]
    seconds: Annotated[float, Field(description="Wall time of the rows that were asked.", ge=0.0)]
    verdicts_per_s: Annotated[float | None, Field(ge=0.0)]
    gpus: Annotated[
        int | None,
        Field(description="GPUs that served it; null: not known, or none.", ge=1),
    ] = None
    prompt_tokens: Annotated[int, Field(ge=0)]
    completion_tokens: Annotated[int, Field(ge=0)]


class LookLine(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    at: str
    data_digest: Annotated[str, Field(description="sha256 of the rows.")]
    asked_digest: Annotated[
        str,
        Field(
            description="sha256 of every verdict of every contestant, and of gates, slices, threshold and confidence."
        ),
    ]
    prompts: Annotated[
        list[str],
        Field(
            description="The 256 smallest sha256 of the ids of the prompts, 12 hexadecimal digits of each, in order."
        ),
    ] = []
    run: str


class MeasureInfo(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    part: str
    name: Annotated[str, Field(description="Last part of the ids of its records.")]
    label: Annotated[str, Field(description="Name for people.")]
    unit: Annotated[
        Literal["share", "difference", "kappa", "correlation", "score", "rate", "ratio"],
        Field(
            description="share: 0 to 1; difference: of two shares; kappa and correlation: -1 to 1; score: in digits of the 0-9 scale; rate: per second; ratio: times."
        ),
    ]
    meaning: Annotated[str, Field(description="One sentence.")]
    chance: Annotated[
        float | None,
        Field(description="What guessing gets; null: nothing is known or it makes no sense."),
    ]
    chart: Annotated[bool, Field(description="Shown as a picture besides its table.")]


class MeasureRecord(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    id: Annotated[
        str,
        Field(
            description="part.role.mode.measure, say fidelity.grader.single_token.quadratic_weighted_kappa.",
            pattern="^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*){3}$",
        ),
    ]
    slice: Annotated[
        str,
        Field(description="all, or FIELD=VALUE: the rows that it is computed from."),
    ] = "all"
    point: Annotated[
        float | None,
        Field(description="null: it cannot be computed from these rows (say, no wrong verdicts)."),
    ]
    low: Annotated[
        float | None,
        Field(description="null: these rows give no interval; method says why."),
    ]
    high: float | None
    n: Annotated[int, Field(description="Rows that it is computed from.", ge=0)]
    prompts: Annotated[
        int,
        Field(
            description="Prompts of these rows: the independent units of its interval.",
            ge=0,
        ),
    ]
    method: Annotated[str, Field(description="How the interval was made, or why there is none.")]


class PartInfo(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    part: str
    question: str
    meaning: str
    needs: Annotated[
        str,
        Field(description="What an audit needs to have records of it, said where it has none."),
    ]


class ExternalAuditRow(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    id: Annotated[str, Field(pattern="^[^:]+$")]
    prompt: Annotated[str, Field(min_length=1)]
    completion: Annotated[str | None, Field(description="null: the row is a pair.")] = None
    completion_a: str | None = None
    completion_b: str | None = None
    ground_truth: str | None = None
    is_correct: bool | None = None
    preference: Literal["A", "B", "tie"] | None = None
    source: str | None = None
    fields: Annotated[
        dict[str, str | float | bool],
        Field(description='What the rows can be sliced by, say {"kind": "algebra"}.'),
    ] = {}


class FileVerdict(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    row_id: str
    score: Annotated[int | None, Field(ge=0, le=9)] = None
    label: Annotated[
        Literal["pass", "fail", "A", "B", "tie"] | None,
        Field(description="pass or fail for a completion; A, B or tie for a pair."),
    ] = None
    distribution: Annotated[
        Distribution | None,
        Field(description="Probabilities of the scores 0 to 9; they add up to 1."),
    ] = None


class AuditPlanGate(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    id: Annotated[
        str,
        Field(
            description="part.role.mode.measure of a record in audit.json, where * stands for any text and the mode `headline` for audit.headline_mode. Every record that it matches must pass; without a match, or where it is also about what has no record, the gate is INCONCLUSIVE.",
            min_length=1,
        ),
    ]
    slice: Annotated[
        str,
        Field(
            description="all, or FIELD=VALUE, where * stands for any text; it never matches all.",
            min_length=1,
        ),
    ] = "all"
    at_least: Annotated[
        float | None,
        Field(description="The low bound of the interval must not be below this."),
    ] = None
    at_most: Annotated[
        float | None,
        Field(
            description="The high bound of the interval must not be above this. A gate has this or at_least."
        ),
    ] = None
    expected: float
    rows: Annotated[
        int | None,
        Field(
            description="null: no number of rows gives the gate that power; note says why.",
            ge=1,
        ),
    ]
    prompts: Annotated[int | None, Field(ge=1)]
    note: Annotated[
        str | None,
        Field(description="What the numbers rest on, or why there are none; null: nothing."),
    ] = None


class AuditPlanRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    gates: Annotated[list[GateSpec], Field(min_length=1)]
    expect: Annotated[
        dict[str, float],
        Field(description="What each gate is expected to measure, by the id of the gate."),
    ]
    rows_per_prompt: Annotated[float, Field(description="Mean rows of one prompt.", ge=1.0)]
    correlation: Annotated[
        float,
        Field(
            description="How alike two rows of one prompt are (intra-cluster correlation). 0.24 is that of PandaLM-7B being right, on the test set of PandaLM.",
            ge=0.0,
            le=1.0,
        ),
    ] = 0.25
    pilot: Annotated[
        str | None,
        Field(
            description="Path of the audit.json of an earlier audit, whose intervals say how much rows vary; null: none."
        ),
    ] = None
    power: Annotated[
        float,
        Field(
            description="Wanted probability that a gate passes where the expected value is true.",
            gt=0.0,
            lt=1.0,
        ),
    ]
    confidence: Annotated[float, Field(description="Confidence level of each interval.", gt=0.5, lt=1.0)] = (
        0.95
    )


class FitChange(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    field: str
    value: str
    bytes: Annotated[int, Field(description="The sum with this change alone.", ge=0)]
    fits: bool


class FitMachine(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    node: str
    memory_bytes: Annotated[
        int,
        Field(
            description="Main memory: the machine's, or what the control group of the worker allows.",
            ge=0,
        ),
    ]
    gpu_bytes: Annotated[
        list[int],
        Field(description="Memory of each GPU; 0 where it is unknown. Empty where there is none."),
    ]


class FitPart(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    name: str
    bytes: Annotated[int, Field(ge=0)]
    how: Annotated[str, Field(description="How the figure is made.")]


class FitPhase(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    name: str
    seconds: Annotated[float, Field(ge=0.0)]
    how: str


class FitProblem(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    field: str
    message: str


class FitStepTime(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    seconds: Annotated[float | None, Field(description="null where it is unknown.", ge=0.0)]
    phases: list[FitPhase]
    note: Annotated[
        str,
        Field(description="Where the machine's rates are from, or why the time is unknown."),
    ]


class VerifiedAnswer(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    row: Annotated[str, Field(description="Id of the row.")]
    kind: Annotated[
        Literal["truth", "phrasing", "other_truth", "given"],
        Field(
            description="truth: as the verifier asks for it; phrasing: as a model may say it; other_truth: the truth of another row; given: from the file."
        ),
    ]
    truth: str
    completion: str
    read: Annotated[
        str | None,
        Field(description="What was taken for the answer; null: nothing, or the verifier does not say."),
    ]
    value: Annotated[float, Field(description="1 right, 0 wrong.", ge=0.0, le=1.0)]


class VerifyReport(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    verifier: Annotated[
        str | None,
        Field(description="null: nothing checks answers, and the judge alone rewards."),
    ]
    checked: Annotated[int, Field(description="Rows whose truth was checked: all that have one.", ge=0)]
    without_truth: Annotated[
        int,
        Field(
            description="Rows without ground truth, where the judge alone rewards.",
            ge=0,
        ),
    ]
    refused_truths: Annotated[
        list[str],
        Field(description="Ids of rows whose own truth is judged wrong; the first hundred."),
    ]
    refused: Annotated[int, Field(description="How many there are.", ge=0)]
    others: Annotated[int, Field(description="Answers made from the truth of another row.", ge=0)]
    others_taken: Annotated[int, Field(description="How many of them are judged right.", ge=0)]
    answers: list[VerifiedAnswer]


class VerifyRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    rows: Annotated[int, Field(description="Rows whose answers are listed.", ge=1)]
    answers: Annotated[
        str | None,
        Field(description="JSON lines of id or prompt, and completion; null: only made-up answers."),
    ]


class RubricModes(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    reasoned: Annotated[ModeTemplate, Field(description='The reply reasons, then ends in "Score: N".')]
    single_token: Annotated[ModeTemplate, Field(description="The reply is one digit.")]
    choice: Annotated[ModeTemplate | None, Field(description="The reply is one of `labels`.")] = None
    pairwise: Annotated[
        PairTemplate | None,
        Field(description="The reply says which of two completions is better."),
    ] = None


class PreferenceDistribution(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    A: Annotated[float, Field(ge=0.0, le=1.0)]
    B: Annotated[float, Field(ge=0.0, le=1.0)]
    tie: Annotated[float, Field(ge=0.0, le=1.0)]


class TokenCountRequestChats(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    messages: Annotated[list[Message], Field(min_length=1)]
    answer_prefix: Annotated[str | None, Field(description="What the answer begins with; null: nothing.")]


class TokenCountsChats(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    contents: Annotated[list[int], Field(description="Tokens of the content of each message.")]
    total: Annotated[
        int | None,
        Field(description="Tokens of the chat as its template renders it; null: `problem` says why."),
    ]
    problem: Annotated[
        str | None,
        Field(description="Why the template renders no such chat; null: it does."),
    ]


class EpochRecordOwner(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    kind: Literal["workflow"]
    namespace: str
    namespace_id: Annotated[
        str,
        Field(description="UUID of the namespace: two servers may both have one of the same name."),
    ]
    workflow_id: str
    run_id: str


class RolloutRecordComparisons(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    pairs: Annotated[
        int,
        Field(
            description="Pairs that it is in, those of equal texts included, which tie and nobody is asked about.",
            ge=0,
        ),
    ]
    compared: Annotated[
        int,
        Field(
            description="Pairs that the judge was asked about and gave a preference for.",
            ge=0,
        ),
    ]
    order_dependent: Annotated[
        int,
        Field(description="Of these, pairs in which the judge preferred a position.", ge=0),
    ]
    win_rate: Annotated[
        float | None,
        Field(
            description="Mean of how far it wins its pairs; null: no word.",
            ge=0.0,
            le=1.0,
        ),
    ]


class StageRequestModels(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    policy: LocatedModel
    base: LocatedModel


class HeartbeatWaiting(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    for_: Annotated[str, Field(alias="for")]
    seconds: float


class AuditLook(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    number: Annotated[
        int,
        Field(
            description="This audit is the n-th look at these rows, or at others with the same prompts.",
            ge=1,
        ),
    ]
    data_digest: str
    asked_confidence: float


class AuditContestants(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    role: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    mode: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    source: Literal["endpoint", "file"]
    file: Annotated[
        str | None,
        Field(description="Path of a JSON Lines file of FileVerdict; null: an endpoint."),
    ] = None
    gpus: Annotated[
        int | None,
        Field(description="GPUs that serve it; null: not known, or none.", ge=1),
    ] = None
    model: str | None


class SliceFieldValues(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    value: str
    rows: Annotated[int, Field(ge=0)]
    prompts: Annotated[int, Field(ge=0)]


class ExternalAuditRequestRowsCounted(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    count: Annotated[int, Field(ge=0)]
    sha256: str


class FitRequestModels(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    policy: LocatedModel
    judge: LocatedModel | None
    base: LocatedModel


class Rubric(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    reference_guided: Annotated[
        bool,
        Field(description="true: the judge is shown the ground truth, and the report says so."),
    ] = False
    scores: Annotated[
        dict[Annotated[str, StringConstraints(pattern=r"^[0-9]$")], str],
        Field(description="Meaning of each score, 0 to 9."),
    ]
    labels: Annotated[
        list[Label] | None,
        Field(
            description="Answers of mode choice, each with a score of its own, at least one on each side of the threshold.",
            max_length=10,
            min_length=2,
        ),
    ] = None
    examples: Annotated[
        list[RubricExample] | None,
        Field(
            description="Judged completions that each question shows before its own, as earlier turns, in this order.",
            min_length=1,
        ),
    ] = None
    frame: Annotated[
        Literal["digest", "none"],
        Field(
            description="digest: {{completion}} stands between two lines marked with digits of a digest of all texts shown, which {{frame}} names, so that it cannot end its frame; none: as it is, where the model cannot spell digits of a digest."
        ),
    ] = "digest"
    threshold: Annotated[
        int,
        Field(
            description="A score at or above this says that the completion passes.",
            ge=1,
            le=9,
        ),
    ] = 5
    max_off_scale_mass: Annotated[
        float,
        Field(
            description="Probability outside the ten digits above which a verdict is off_scale and has no score.",
            ge=0.0,
            lt=1.0,
        ),
    ] = 0.5
    modes: RubricModes


class MessagesRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    mode: Literal["reasoned", "single_token", "choice", "pairwise"]
    prompt: str
    completion: Annotated[str, Field(description="Of a pair, the one that is shown first.")]
    opponent: Annotated[
        str | None,
        Field(description="Of a pair, the one that is shown second; else null."),
    ] = None
    ground_truth: Annotated[
        str | None,
        Field(description="Shown only if the rubric is reference-guided; then it must be there."),
    ] = None
    score: Annotated[
        int | None,
        Field(
            description="The score whose reply is asked for; null: messages alone.",
            ge=0,
            le=9,
        ),
    ] = None
    preferred: Annotated[
        Literal["first", "tie", "second"] | None,
        Field(
            description="Of a pair, the preference whose reply is asked for, by what is shown first; null: messages alone."
        ),
    ] = None


class RenderedMessages(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    messages: Annotated[list[Message], Field(min_length=1)]
    answer_prefix: Annotated[
        str | None,
        Field(description="What the reply begins with, given and not generated; null: nothing."),
    ]
    reply: Annotated[
        str | None,
        Field(
            description="What gives the score, after the prefix; null where none was asked for, or the mode has no such reply."
        ),
    ]


class ExportRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    run_dir: str
    format: Literal["verl", "sft", "openai"]
    out: str
    split: Annotated[
        Literal["train", "eval", "audit"],
        Field(description="format verl: which prompts."),
    ] = "train"
    force: Annotated[bool, Field(description="Replace the file where there is one.")] = False
    ledger: Annotated[list[LedgerSegment], Field(description="What of the ledger counts.")]
    gateway_url: Annotated[
        AnyUrl,
        Field(description="A gateway that renders the rubric of the run. Its key is in GAVEL_API_KEY."),
    ]


class AuditSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    completions_per_prompt: Annotated[
        int,
        Field(
            description="Samples from each of the three checkpoints for each audit prompt.",
            ge=1,
        ),
    ] = 2
    temperature: Annotated[
        float,
        Field(
            description="Sampling temperature of the completions that are graded.",
            ge=0.0,
            le=2.0,
        ),
    ] = 1
    grader_modes: Annotated[
        list[Literal["reasoned", "single_token", "choice", "pairwise"]],
        Field(
            description="Modes that the grader is measured in.",
            max_length=4,
            min_length=1,
        ),
    ] = ["single_token", "reasoned"]
    headline_mode: Annotated[
        Literal["reasoned", "single_token", "choice", "pairwise"],
        Field(description="The mode that the measures and gates are about."),
    ] = "single_token"
    base: Annotated[bool, Field(description="Grade with the untrained base model too.")] = True
    confidence: Annotated[float, Field(description="Confidence level of each interval.", gt=0.5, lt=1.0)] = (
        0.95
    )
    slices: Annotated[
        list[str],
        Field(
            description="Fields that the rows are sliced by: checkpoint (where a completion comes from), prompt_length (quarters), score (the judge's), or a field of the rows; a field that no row has is left out."
        ),
    ] = ["kind", "checkpoint", "prompt_length", "score"]
    gates: Annotated[
        list[GateSpec],
        Field(
            description="Bounds that decide the verdict; an empty list decides nothing.",
            validate_default=True,
        ),
    ] = [
        {
            "id": "fidelity.grader.headline.quadratic_weighted_kappa",
            "slice": "all",
            "at_least": 0.6,
            "at_most": None,
        },
        {
            "id": "teacher_wrong.grader.headline.balanced_accuracy_difference",
            "slice": "all",
            "at_least": -0.05,
            "at_most": None,
        },
        {"id": "coverage.grader.headline.scored", "slice": "all", "at_least": 0.95, "at_most": None},
        {"id": "coverage.judge.*.scored", "slice": "all", "at_least": 0.95, "at_most": None},
    ]


class BaseSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    model: Annotated[
        str,
        Field(
            description="Model folder under GAVEL_ROOT, absolute path, or hub name.",
            min_length=1,
        ),
    ]
    revision: Annotated[
        str | None,
        Field(
            description="Commit of a hub model, 40 hex digits: a hub name needs one, a folder has none.",
            pattern="^[0-9a-f]{40}$",
        ),
    ] = None
    serve: Annotated[ServeSpec, Field(validate_default=True)] = {}
    sampling: Annotated[SamplingSpec, Field(validate_default=True)] = {}
    chat_template_kwargs: Annotated[
        dict[str, Any],
        Field(description="Arguments of the chat template, say {enable_thinking: false}."),
    ] = {}
    extra_body: Annotated[
        dict[str, Any],
        Field(
            description="Further fields of each request to the model, say {service_tier: flex}; none that gavel sets itself."
        ),
    ] = {}
    concurrency: Annotated[int, Field(description="Grading calls in flight at once.", ge=1, le=4096)] = 64
    timeout_s: Annotated[float, Field(description="One call to the model, seconds.", gt=0.0)] = 120
    outage_limit_s: Annotated[
        float,
        Field(
            description="How long grading waits for a model that is away before the stage fails, resumable.",
            gt=0.0,
        ),
    ] = 1800


class GraderSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    serve: Annotated[ServeSpec, Field(validate_default=True)] = {}
    sampling: Annotated[SamplingSpec, Field(validate_default=True)] = {}
    chat_template_kwargs: Annotated[
        dict[str, Any],
        Field(description="Arguments of the chat template, say {enable_thinking: false}."),
    ] = {}
    extra_body: Annotated[
        dict[str, Any],
        Field(
            description="Further fields of each request to the model, say {service_tier: flex}; none that gavel sets itself."
        ),
    ] = {}
    concurrency: Annotated[int, Field(description="Grading calls in flight at once.", ge=1, le=4096)] = 64
    timeout_s: Annotated[float, Field(description="One call to the model, seconds.", gt=0.0)] = 120
    outage_limit_s: Annotated[
        float,
        Field(
            description="How long grading waits for a model that is away before the stage fails, resumable.",
            gt=0.0,
        ),
    ] = 1800


class GrpoSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    steps: Annotated[int, Field(description="Optimizer steps.", ge=1)] = 60
    prompts_per_step: Annotated[int, Field(description="Distinct prompts in one step.", ge=1)] = 8
    num_generations: Annotated[int, Field(description="Completions per prompt: the group.", ge=2)] = 8
    max_completion_tokens: Annotated[int, Field(description="Longest completion, tokens.", ge=1)] = 64
    temperature: Annotated[
        float,
        Field(
            description="Sampling temperature of the rollouts; a group of equal completions teaches nothing.",
            gt=0.0,
            le=2.0,
        ),
    ] = 1
    top_p: Annotated[
        float,
        Field(
            description="Share of probability that is sampled from. This and the next four fields also hold for the eval and audit completions, so that the audit grades the kind of text that training makes. The loss takes log-probabilities from the whole distribution at the temperature, as TRL does.",
            gt=0.0,
            le=1.0,
        ),
    ] = 1
    top_k: Annotated[
        int,
        Field(
            description="How many of the likeliest tokens are sampled from; 0: all.",
            ge=0,
        ),
    ] = 0
    min_p: Annotated[
        float,
        Field(
            description="Least probability, as a share of the likeliest token's; 0: any.",
            ge=0.0,
            lt=1.0,
        ),
    ] = 0
    repetition_penalty: Annotated[
        float,
        Field(
            description="Above 1, tokens of the prompt and of the completion so far become less likely.",
            gt=0.0,
            le=2.0,
        ),
    ] = 1
    stop: Annotated[
        list[str],
        Field(
            description="A completion ends with the first of these texts and contains it. Not with rollout transformers."
        ),
    ] = []
    learning_rate: Annotated[float, Field(description="Highest learning rate.", gt=0.0, lt=1.0)] = 1e-06
    lr_schedule: Annotated[
        Literal["constant", "linear", "cosine"],
        Field(
            description="How the learning rate goes on after warmup_steps. linear and cosine fall to 0 at grpo.steps; a step then depends on how many follow."
        ),
    ] = "constant"
    warmup_steps: Annotated[
        int,
        Field(
            description="Steps in which the learning rate rises linearly from 0: the first step then changes nothing.",
            ge=0,
        ),
    ] = 0
    advantage: Annotated[
        Literal["group", "leave_one_out"],
        Field(
            description="What a reward is compared with. group: the mean of its group. leave_one_out (RLOO): the mean of the group's other completions that have a reward; 0 where there is none. It needs scale_rewards none."
        ),
    ] = "group"
    scale_rewards: Annotated[
        Literal["group", "batch", "none"],
        Field(
            description="What advantages are divided by: the standard deviation of the group, of the whole step, or nothing."
        ),
    ] = "group"
    normalise: Annotated[
        Literal["together", "apart"],
        Field(
            description="What is centred and divided within a group. together: the reward. apart: the verifier's mark and the judge's value each, before verifier_weight mixes them, so that in a group that the verifier calls equal the judge's differences count 1 - verifier_weight times as much."
        ),
    ] = "together"
    loss_type: Annotated[
        Literal["dapo", "grpo", "dr_grpo", "bnpo"],
        Field(
            description="What the loss of the tokens is divided by. dapo: the tokens of the step. bnpo: those of the micro-batch. grpo: first those of the completion, then the number of completions. dr_grpo: completions x max_completion_tokens. Masked completions count in the last two."
        ),
    ] = "dapo"
    mask_truncated_completions: Annotated[
        bool,
        Field(
            description="Leave the tokens of completions that max_completion_tokens cut off out of the loss. Their rewards count in the mean of the group."
        ),
    ] = False
    beta: Annotated[
        float,
        Field(description="Weight of the KL term against the initial policy.", ge=0.0),
    ] = 0
    verifier_weight: Annotated[
        float,
        Field(
            description="w in w * verifier + (1 - w) * value/9, where the row has ground truth.",
            ge=0.0,
            le=1.0,
        ),
    ] = 0.5
    opponents: Annotated[
        int | None,
        Field(
            description="judge.mode pairwise: how many other completions of its group each is compared with, in both orders. null: with all.",
            ge=1,
        ),
    ] = None
    when_unscored: Annotated[
        Literal["verifier", "mask"],
        Field(
            description="Where the judge gives no score. verifier: the reward is the verifier's word alone, where the row has ground truth and verifier_weight is above 0. Else, and with mask: the completion gives no advantage and counts in no mean."
        ),
    ] = "verifier"
    lora: Annotated[LoraSpec | None, Field(description="null trains all weights.")] = None
    micro_batch_size: Annotated[
        int | None,
        Field(
            description="Completions in one forward and backward pass of one rank; null takes the most that fit on a GPU, and a whole step on the CPU.",
            ge=1,
        ),
    ] = None
    gradient_checkpointing: Annotated[
        bool,
        Field(description="Recompute activations in the backward pass to save memory."),
    ] = True
    rollout: Annotated[
        Literal["cached", "served", "transformers", "vllm_colocate", "vllm_server"],
        Field(
            description="How completions are sampled. cached: in the trainer's process; served: by vLLM servers that gavel starts on placement.rollout_gpus, each step's adapter under a name of its own; transformers: the library's own generate. The other two train all weights on GPUs and push them into a vLLM, as TRL does. vllm_colocate: in the trainer's process; vllm_server: in a server that gavel starts on placement.rollout_gpus."
        ),
    ] = "cached"
    max_staleness: Annotated[
        int,
        Field(
            description="rollout served: how many updates the sampling adapter may be behind the policy. With 1, a step is sampled and judged while the step before it is trained.",
            ge=0,
            le=1,
        ),
    ] = 0
    importance_sampling: Annotated[
        Literal["none", "token_truncate", "token_mask", "sequence_truncate", "sequence_mask"],
        Field(
            description="Where vLLM samples: how TRL weighs completions by the ratio of the trainer's probability to the sampler's, per token or per completion, and what a ratio above importance_sampling_clip becomes: the clip (truncate) or 0 (mask)."
        ),
    ] = "sequence_mask"
    importance_sampling_clip: Annotated[
        float,
        Field(description="Largest ratio that importance_sampling lets through.", gt=1.0),
    ] = 3
    drift_alarm: Annotated[
        float | None,
        Field(
            description="rollout served: an alarm is raised when the log-probabilities of trainer and sampler differ by more than this (mean of absolute differences over a step's tokens, nats) in three steps in a row. null: never; nothing is compared with importance_sampling none.",
            gt=0.0,
        ),
    ] = 0.1
    dtype: Annotated[
        Literal["float32", "bfloat16"],
        Field(description="bfloat16 trains in mixed precision."),
    ] = "float32"
    save_every: Annotated[int, Field(description="Steps between checkpoints.", ge=1)] = 10
    keep_checkpoints: Annotated[
        int,
        Field(
            description="Newest checkpoints kept, besides first, middle, last and best.",
            ge=1,
        ),
    ] = 3
    processes: Annotated[
        int,
        Field(
            description="Ranks; more than one goes through accelerate launch on GPUs, through torchrun on the CPU.",
            ge=1,
        ),
    ] = 1
    sharding: Annotated[
        Literal["ddp", "fsdp2", "zero2", "zero3"],
        Field(
            description="What several processes on GPUs hold. ddp: each all of the weights; fsdp2 and zero3: each a part of weights, gradients and optimizer; zero2: all of the weights, and a part of the rest. After the training each process loads the whole weights to sample the rows of the audit, so they must fit one GPU. zero2 and zero3 need the package deepspeed, which the lock files do not hold. `gavel fit SPEC --launch` shows what accelerate gets."
        ),
    ] = "ddp"
    accelerate_args: Annotated[
        list[str],
        Field(
            description="Further flags of accelerate launch, which outrank its configuration: offloading, wrapping, precision; a worker allows more with GAVEL_ALLOW_ARGS. Unused on the CPU and with one process."
        ),
    ] = []
    report_to: Annotated[
        list[Literal["tensorboard", "trackio", "wandb"]],
        Field(
            description="Trackers that get TRL's figures of each step, as files in the folder of the attempt's epoch (docs/run-directory.md); wandb is offline. Each is a Python package that gavel's lock files do not hold."
        ),
    ] = []
    seed: Annotated[int, Field(description="Same seed and same verdicts, same weights.", ge=0)] = 0


class JudgeSpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    model: Annotated[
        str,
        Field(
            description="Model folder under GAVEL_ROOT, absolute path, or hub name.",
            min_length=1,
        ),
    ]
    revision: Annotated[
        str | None,
        Field(
            description="Commit of a hub model, 40 hex digits: a hub name needs one, a folder has none.",
            pattern="^[0-9a-f]{40}$",
        ),
    ] = None
    engine: Annotated[
        Literal["vllm", "openai"],
        Field(description="vllm: gavel serves it; openai: any OpenAI-compatible URL."),
    ] = "vllm"
    base_url: Annotated[
        str | None,
        Field(
            description="engine openai: the URL up to and including /v1.",
            pattern="^[!-~]+$",
        ),
    ] = None
    api_key_env: Annotated[
        str | None,
        Field(
            description="engine openai: name of the worker's environment variable that holds the key. The worker's GAVEL_KEYS must bind it to the host of base_url.",
            pattern="^[A-Z][A-Z0-9_]*$",
        ),
    ] = None
    rubric: Annotated[str, Field(description="Rubric file (YAML).", min_length=1)]
    mode: Annotated[
        Literal["reasoned", "single_token", "choice", "pairwise"],
        Field(
            description="reasoned: reasoning, then the score; single_token: one digit; choice: a label; pairwise: which of two completions of a group is better."
        ),
    ] = "reasoned"
    panel: Annotated[PanelSpec, Field(validate_default=True)] = {}
    serve: Annotated[ServeSpec, Field(validate_default=True)] = {}
    sampling: Annotated[SamplingSpec, Field(validate_default=True)] = {}
    chat_template_kwargs: Annotated[
        dict[str, Any],
        Field(description="Arguments of the chat template, say {enable_thinking: false}."),
    ] = {}
    extra_body: Annotated[
        dict[str, Any],
        Field(
            description="Further fields of each request to the model, say {service_tier: flex}; none that gavel sets itself."
        ),
    ] = {}
    concurrency: Annotated[int, Field(description="Grading calls in flight at once.", ge=1, le=4096)] = 64
    timeout_s: Annotated[float, Field(description="One call to the model, seconds.", gt=0.0)] = 120
    outage_limit_s: Annotated[
        float,
        Field(
            description="How long grading waits for a model that is away before the stage fails, resumable.",
            gt=0.0,
        ),
    ] = 1800


class PolicySpec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    model: Annotated[
        str,
        Field(
            description="Model folder under GAVEL_ROOT, absolute path, or hub name.",
            min_length=1,
        ),
    ]
    revision: Annotated[
        str | None,
        Field(
            description="Commit of a hub model, 40 hex digits: a hub name needs one, a folder has none.",
            pattern="^[0-9a-f]{40}$",
        ),
    ] = None
    chat_template_kwargs: Annotated[
        dict[str, Any],
        Field(description="Arguments of the chat template, say {enable_thinking: false}."),
    ] = {}
    serve: Annotated[ServeSpec, Field(validate_default=True)] = {}
    sampling: Annotated[SamplingSpec, Field(validate_default=True)] = {}
    extra_body: Annotated[
        dict[str, Any],
        Field(
            description="Further fields of each request to the model, say {service_tier: flex}; none that gavel sets itself."
        ),
    ] = {}
    outage_limit_s: Annotated[
        float,
        Field(
            description="How long grpo.rollout served waits at any step for servers that are away, and vllm_server at the start of an attempt, before the stage fails, resumable. A vLLM that is being started counts as away.",
            gt=0.0,
        ),
    ] = 1800


class Spec(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    run: Annotated[
        str,
        Field(
            description="Name of the run and of its folder.",
            pattern="^[a-z0-9][a-z0-9._-]{0,62}$",
        ),
    ]
    task: TaskSpec
    policy: PolicySpec
    judge: JudgeSpec
    base: BaseSpec
    grader: Annotated[GraderSpec, Field(validate_default=True)] = {}
    grpo: Annotated[GrpoSpec, Field(validate_default=True)] = {}
    sft: Annotated[SftSpec, Field(validate_default=True)] = {}
    audit: Annotated[AuditSpec, Field(validate_default=True)] = {}
    placement: Annotated[PlacementSpec, Field(validate_default=True)] = {}
    limits: Annotated[LimitsSpec, Field(validate_default=True)] = {}


class Preference(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    label: Annotated[
        Literal["A", "B", "tie"],
        Field(
            description="The completion that is better. Of several votes: tie, where the two orders do not say the same."
        ),
    ]
    distribution: Annotated[
        PreferenceDistribution | None,
        Field(
            description="Renormalised probabilities of the labels, the mean of both orders; null: not known."
        ),
    ]
    win: Annotated[
        float,
        Field(
            description="How far A beats B: probability of A and half of that of a tie; without probabilities, of the labels.",
            ge=0.0,
            le=1.0,
        ),
    ]
    order: Annotated[
        Literal["ab", "ba", "consistent", "first", "second"],
        Field(
            description="Of one vote, the order in which it was shown the pair. Of a verdict, what both orders say together: consistent (the same), first or second (the judge prefers what stands there)."
        ),
    ]


class Verdict(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    verdict: Annotated[
        Literal["scored", "unparseable", "off_scale", "low_confidence", "abstained", "refused", "failed"],
        Field(
            description="scored: with a score or, of a pair, a preference. Without: unparseable (no score in the reply), off_scale (too much probability outside the digits), low_confidence (below the panel's threshold), abstained (the model's own word), refused, failed (this call keeps failing while others succeed)."
        ),
    ]
    score: Annotated[
        int | None,
        Field(
            description="The most probable digit; null unless verdict is scored, and for a pair.",
            ge=0,
            le=9,
        ),
    ]
    value: Annotated[
        float | None,
        Field(
            description="Expectation over the ten digits, or the score where there is no distribution; null without a score.",
            ge=0.0,
            le=9.0,
        ),
    ]
    value_rule: Annotated[
        Literal["expectation", "score"] | None,
        Field(description="Which of the two `value` is; null without a score."),
    ]
    p_pass: Annotated[
        float | None,
        Field(
            description="Probability of a score at or above the rubric's threshold; 1 or 0 where there is no distribution.",
            ge=0.0,
            le=1.0,
        ),
    ]
    confidence: Annotated[
        float | None,
        Field(
            description="Probability of the most probable digit among the ten.",
            ge=0.0,
            le=1.0,
        ),
    ]
    distribution: Annotated[
        Distribution | None,
        Field(description="Renormalised probabilities of the scores 0 to 9; null: not known."),
    ]
    off_scale_mass: Annotated[
        float | None,
        Field(
            description="Probability outside the digits seen, before renormalising; null: the server gave none.",
            ge=0.0,
            le=1.0,
        ),
    ]
    preference: Annotated[
        Preference | None,
        Field(description="Of a scored pair, which has no score, value and p_pass; else absent."),
    ] = None


class TokenCountRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    tokenizer: Annotated[str, Field(description="Model folder.")]
    chats: list[TokenCountRequestChats]
    texts: list[str]


class TokenCounts(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    chats: Annotated[list[TokenCountsChats], Field(description="In the order of the request.")]
    texts: Annotated[
        list[list[int]],
        Field(description="Ids of the tokens of each text, without special ones."),
    ]


class Grade(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    trace_keys: Annotated[
        list[str],
        Field(
            description="One a vote, in order, of a pair first those of order ab; every one is in the ledger."
        ),
    ]
    verdict: Annotated[
        Literal["scored", "unparseable", "off_scale", "low_confidence", "abstained", "refused", "failed"],
        Field(
            description="scored: with a score or, of a pair, a preference. Without: unparseable (no score in the reply), off_scale (too much probability outside the digits), low_confidence (below the panel's threshold), abstained (the model's own word), refused, failed (this call keeps failing while others succeed)."
        ),
    ]
    score: Annotated[
        int | None,
        Field(
            description="The most probable digit; null unless verdict is scored, and for a pair.",
            ge=0,
            le=9,
        ),
    ]
    value: Annotated[
        float | None,
        Field(
            description="Expectation over the ten digits, or the score where there is no distribution; null without a score.",
            ge=0.0,
            le=9.0,
        ),
    ]
    value_rule: Annotated[
        Literal["expectation", "score"] | None,
        Field(description="Which of the two `value` is; null without a score."),
    ]
    p_pass: Annotated[
        float | None,
        Field(
            description="Probability of a score at or above the rubric's threshold; 1 or 0 where there is no distribution.",
            ge=0.0,
            le=1.0,
        ),
    ]
    confidence: Annotated[
        float | None,
        Field(
            description="Probability of the most probable digit among the ten.",
            ge=0.0,
            le=1.0,
        ),
    ]
    distribution: Annotated[
        Distribution | None,
        Field(description="Renormalised probabilities of the scores 0 to 9; null: not known."),
    ]
    off_scale_mass: Annotated[
        float | None,
        Field(
            description="Probability outside the digits seen, before renormalising; null: the server gave none.",
            ge=0.0,
            le=1.0,
        ),
    ]
    preference: Annotated[
        Preference | None,
        Field(description="Of a scored pair, which has no score, value and p_pass; else absent."),
    ] = None
    reasoning: Annotated[str | None, Field(description="Reasoning of the first vote that counts.")]
    replayed: Annotated[bool, Field(description="true: answered from the ledger, nothing was paid.")]
    latency_ms: Annotated[float, Field(description="Latency of the slowest vote.", ge=0.0)]


class GradeRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    role: Literal["judge", "grader", "base"] = "judge"
    mode: Annotated[
        Literal["reasoned", "single_token", "choice", "pairwise"] | None,
        Field(description="null: the mode that the role is configured with."),
    ] = None
    occasion: Annotated[
        str,
        Field(pattern="^(grpo:\\d+:\\d+:\\d+(-vs-\\d+)?|audit:[^:]+|retest:[^:]+:\\d+|call:[^:]+)$"),
    ]
    prompt: str
    completion: str
    opponent: Annotated[
        str | None,
        Field(description="The completion that it is compared with, for mode pairwise; null for all others."),
    ] = None
    ground_truth: Annotated[
        str | None,
        Field(description="Kept beside the trace; sent only if the rubric is reference-guided."),
    ] = None


class Trace(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    key: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    occasion: Annotated[
        str,
        Field(
            pattern="^(grpo:\\d+:\\d+:\\d+(-vs-\\d+)?|audit:[^:]+|retest:[^:]+:\\d+|call:[^:]+)(:(ab|ba))?:\\d+$"
        ),
    ]
    run: str
    stage: Literal["grpo", "sft", "audit", "serve"]
    role: Literal["judge", "grader", "base"]
    mode: Literal["reasoned", "single_token", "choice", "pairwise"]
    model: str
    model_digest: str | None
    endpoint: Annotated[
        str | None,
        Field(
            description="URL of a server that gavel does not move and whose weights no digest names; null: not in the key."
        ),
    ] = None
    rubric_digest: str | None
    prompt: str
    completion: str
    opponent: Annotated[str | None, Field(description="Of a pair, the other completion; else absent.")] = None
    ground_truth: str | None
    messages: list[Message]
    altered: Annotated[
        list[Literal["prompt", "completion", "opponent", "ground_truth"]],
        Field(
            description="Fields whose control strings were broken up in `messages`; they stand here as they came."
        ),
    ]
    answer_prefix: Annotated[
        str | None,
        Field(description="What the answer was made to begin with; `reply` goes on from it."),
    ]
    reply: str
    thinking: Annotated[
        str | None,
        Field(
            description="What the server returned as thinking, apart from the reply; null: nothing. A grader learns both."
        ),
    ]
    reasoning: str | None
    verdict: Annotated[
        Literal["scored", "unparseable", "off_scale", "low_confidence", "abstained", "refused", "failed"],
        Field(
            description="scored: with a score or, of a pair, a preference. Without: unparseable (no score in the reply), off_scale (too much probability outside the digits), low_confidence (below the panel's threshold), abstained (the model's own word), refused, failed (this call keeps failing while others succeed)."
        ),
    ]
    score: Annotated[
        int | None,
        Field(
            description="The most probable digit; null unless verdict is scored, and for a pair.",
            ge=0,
            le=9,
        ),
    ]
    value: Annotated[
        float | None,
        Field(
            description="Expectation over the ten digits, or the score where there is no distribution; null without a score.",
            ge=0.0,
            le=9.0,
        ),
    ]
    value_rule: Annotated[
        Literal["expectation", "score"] | None,
        Field(description="Which of the two `value` is; null without a score."),
    ]
    p_pass: Annotated[
        float | None,
        Field(
            description="Probability of a score at or above the rubric's threshold; 1 or 0 where there is no distribution.",
            ge=0.0,
            le=1.0,
        ),
    ]
    confidence: Annotated[
        float | None,
        Field(
            description="Probability of the most probable digit among the ten.",
            ge=0.0,
            le=1.0,
        ),
    ]
    distribution: Annotated[
        Distribution | None,
        Field(description="Renormalised probabilities of the scores 0 to 9; null: not known."),
    ]
    off_scale_mass: Annotated[
        float | None,
        Field(
            description="Probability outside the digits seen, before renormalising; null: the server gave none.",
            ge=0.0,
            le=1.0,
        ),
    ]
    preference: Annotated[
        Preference | None,
        Field(description="Of a scored pair, which has no score, value and p_pass; else absent."),
    ] = None
    usage: Usage | None
    latency_ms: Annotated[float, Field(ge=0.0)]
    reused_from: Annotated[
        str | None,
        Field(description="Key of the trace whose reply this one shares; null if the model was asked."),
    ]
    created_at: Annotated[str, Field(description="ISO 8601, UTC.")]


class Alarm(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    at: str
    stage: str
    epoch: Annotated[int, Field(ge=1)]
    step: Annotated[int, Field(ge=0)]
    alarm: Annotated[
        Literal["sampler_drift"],
        Field(
            description="sampler_drift: the log-probabilities of the servers that sample are far from the trainer's."
        ),
    ]
    message: Annotated[
        str,
        Field(description="What was seen, by which rule it is an alarm, and what to do."),
    ]


class Interruption(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    at: str
    stage: str
    epoch: Annotated[
        int | None,
        Field(description="Number of the attempt that ended; null where it went on.", ge=1),
    ]
    what: Literal["worker", "trainer", "vllm", "gateway", "node"]
    cause: Annotated[
        Literal["preempted", "crashed", "hung", "superseded", "disk_full", "out_of_memory"],
        Field(
            description="preempted: ended from outside, asked to or not; superseded: another attempt had taken over. The others are errors."
        ),
    ]
    message: Annotated[str, Field(description="One redacted line.")]
    steps_lost: int | None
    seconds_to_next_commit: float | None


class InterruptionTotals(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    count: Annotated[int, Field(ge=0)]
    steps_lost: Annotated[int, Field(ge=0)]
    by_cause: dict[str, int]
    latest: Annotated[list[Interruption], Field(description="The last five, oldest first.")]


class EpochRecord(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    stage: Literal["grpo", "sft", "audit", "serve"]
    epoch: Annotated[int, Field(ge=1)]
    node: str
    pid: int
    owner: Annotated[
        EpochRecordOwner | None,
        Field(description="The execution that the attempt is for; null: none of a Temporal server."),
    ]
    started_at: str
    starts_from: Annotated[str | None, Field(description="Name of the checkpoint this epoch goes on from.")]
    accepted_segments: Annotated[
        dict[str, int],
        Field(description="Bytes of each older ledger segment that count; the rest is void."),
    ]
    missing_traces: Annotated[
        int,
        Field(
            description="Traces of committed rollouts that the ledger did not hold when the epoch began.",
            ge=0,
        ),
    ]


class Manifest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    stage: Literal["grpo", "sft", "audit"]
    name: str
    epoch: Annotated[int, Field(ge=1)]
    step: Annotated[int, Field(ge=0)]
    parent: str | None
    files: dict[str, ManifestFile]
    rng_sha256: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$")]
    metrics: dict[str, float | None]
    created_at: str


class ProgressLine(RootModel[PhaseLine | CommitLine | WaitingLine | ResumedLine | AlarmLine]):
    root: PhaseLine | CommitLine | WaitingLine | ResumedLine | AlarmLine


class RolloutRecord(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    step: Annotated[int, Field(ge=1)]
    group: Annotated[int, Field(ge=0)]
    rollout: Annotated[int, Field(ge=0)]
    prompt_id: str
    completion: str
    trace_keys: Annotated[list[str], Field(description="One per vote; every one is in the ledger.")]
    verdict: Annotated[
        Literal["scored", "unparseable", "off_scale", "low_confidence", "abstained", "refused", "failed"],
        Field(
            description="scored: with a score or, of a pair, a preference. Without: unparseable (no score in the reply), off_scale (too much probability outside the digits), low_confidence (below the panel's threshold), abstained (the model's own word), refused, failed (this call keeps failing while others succeed)."
        ),
    ]
    score: Annotated[int | None, Field(ge=0, le=9)]
    value: Annotated[
        float | None,
        Field(
            description="What the reward is made of; null where the verdict has no score.",
            ge=0.0,
            le=9.0,
        ),
    ]
    comparisons: Annotated[
        RolloutRecordComparisons | None,
        Field(description="Of a judge that compares (mode pairwise); else null."),
    ] = None
    verifier: Annotated[float | None, Field(ge=0.0, le=1.0)]
    hidden_verifier: Annotated[
        float | None,
        Field(
            description="The check against a truth that the reward knows nothing of: task.unlabelled_fraction hid it.",
            ge=0.0,
            le=1.0,
        ),
    ] = None
    reward: float | None
    advantage: float | None


class StageRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    stage: Literal["grpo", "sft", "audit"]
    run: str
    epoch: Annotated[int, Field(ge=1)]
    root: Annotated[str, Field(description="GAVEL_ROOT: paths in the spec resolve under it.")]
    run_dir: str
    resume_from: Annotated[
        str | None,
        Field(description="Folder of the checkpoint to go on from, verified; null starts afresh."),
    ]
    chain: Annotated[
        list[str],
        Field(
            description="Names of the checkpoints up to resume_from, oldest first, pruned and damaged ones too."
        ),
    ]
    gateway_url: Annotated[
        AnyUrl | None,
        Field(description="Base URL of the gateway, without /v1. Its key is in GAVEL_API_KEY."),
    ]
    ledger: Annotated[
        list[LedgerSegment],
        Field(
            description="What of the ledger counts when the attempt begins, of all stages, oldest first within a stage."
        ),
    ]
    policy_endpoints: Annotated[
        list[str],
        Field(
            description="grpo: files that say where the servers are that sample rollouts; none where the trainer samples itself."
        ),
    ]
    models: StageRequestModels
    spec: Spec


class Heartbeat(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    stage: str
    epoch: int | None
    phase: str
    step: int
    total: int
    metrics: dict[str, float | None]
    waiting: HeartbeatWaiting | None
    checkpoint: str | None
    processes: list[LiveProcess]


class RunStatus(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    run: str
    stage: Literal["prepare", "grpo", "sft", "audit", "report", "done", "failed"]
    stages: dict[str, StageStatus]
    interruptions: InterruptionTotals
    alarms: Annotated[
        list[Alarm],
        Field(description="The latest of each name.", validate_default=True),
    ] = []
    verdict: Literal["PASS", "FAIL", "INCONCLUSIVE"] | None
    report: Annotated[str | None, Field(description="Path of the report under GAVEL_ROOT.")]


class GateMatch(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    record: MeasureRecord
    verdict: Literal["PASS", "FAIL", "INCONCLUSIVE"]
    reason: Annotated[str, Field(description="Why, in words.")]
    rows_needed: Annotated[
        int | None,
        Field(
            description="INCONCLUSIVE: about how many more rows to audit would settle it with 80% power if the point is true; null where no number can be given.",
            ge=1,
        ),
    ] = None


class GateResult(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    id: Annotated[
        str,
        Field(
            description="part.role.mode.measure of a record in audit.json, where * stands for any text and the mode `headline` for audit.headline_mode. Every record that it matches must pass; without a match, or where it is also about what has no record, the gate is INCONCLUSIVE.",
            min_length=1,
        ),
    ]
    slice: Annotated[
        str,
        Field(
            description="all, or FIELD=VALUE, where * stands for any text; it never matches all.",
            min_length=1,
        ),
    ] = "all"
    at_least: Annotated[
        float | None,
        Field(description="The low bound of the interval must not be below this."),
    ] = None
    at_most: Annotated[
        float | None,
        Field(
            description="The high bound of the interval must not be above this. A gate has this or at_least."
        ),
    ] = None
    reason: Annotated[
        str,
        Field(
            description="Why, in words; without a match: what was expected and what there is; and what it is also about."
        ),
    ]
    verdict: Annotated[
        Literal["PASS", "FAIL", "INCONCLUSIVE"],
        Field(
            description="PASS: every match passes, and nothing that it is about lacks a record; FAIL: one match fails; INCONCLUSIVE: else."
        ),
    ]
    matches: list[GateMatch]


class SliceField(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    field: str
    values: list[SliceFieldValues]
    left_out: Annotated[
        str | None,
        Field(description="Values without slices of their own, and why; null: none."),
    ] = None


class VerdictRow(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    row_id: str
    trace_keys: list[str]
    verdict: Annotated[
        Literal["scored", "unparseable", "off_scale", "low_confidence", "abstained", "refused", "failed"],
        Field(
            description="scored: with a score or, of a pair, a preference. Without: unparseable (no score in the reply), off_scale (too much probability outside the digits), low_confidence (below the panel's threshold), abstained (the model's own word), refused, failed (this call keeps failing while others succeed)."
        ),
    ]
    score: Annotated[
        int | None,
        Field(
            description="The most probable digit; null unless verdict is scored, and for a pair.",
            ge=0,
            le=9,
        ),
    ]
    value: Annotated[
        float | None,
        Field(
            description="Expectation over the ten digits, or the score where there is no distribution; null without a score.",
            ge=0.0,
            le=9.0,
        ),
    ]
    value_rule: Annotated[
        Literal["expectation", "score"] | None,
        Field(description="Which of the two `value` is; null without a score."),
    ]
    p_pass: Annotated[
        float | None,
        Field(
            description="Probability of a score at or above the rubric's threshold; 1 or 0 where there is no distribution.",
            ge=0.0,
            le=1.0,
        ),
    ]
    confidence: Annotated[
        float | None,
        Field(
            description="Probability of the most probable digit among the ten.",
            ge=0.0,
            le=1.0,
        ),
    ]
    distribution: Annotated[
        Distribution | None,
        Field(description="Renormalised probabilities of the scores 0 to 9; null: not known."),
    ]
    off_scale_mass: Annotated[
        float | None,
        Field(
            description="Probability outside the digits seen, before renormalising; null: the server gave none.",
            ge=0.0,
            le=1.0,
        ),
    ]
    preference: Annotated[
        Preference | None,
        Field(description="Of a scored pair, which has no score, value and p_pass; else absent."),
    ] = None
    label: Annotated[
        Literal["A", "B", "tie"] | None,
        Field(description="Of a pair: the completion that the verdict prefers."),
    ] = None
    replayed: bool
    latency_ms: Annotated[float, Field(ge=0.0)]


class ExternalAuditRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    run: Annotated[str, Field(description="Name that the audit is kept under.")]
    rows: Annotated[
        str,
        Field(
            description="Path of a JSONL file of ExternalAuditRow, absolute or under the folder of this request."
        ),
    ]
    rows_counted: Annotated[
        ExternalAuditRequestRowsCounted | None,
        Field(
            description="Rows whose calls were counted and allowed, and sha256 of their file; null: no model is asked."
        ),
    ] = None
    max_rows: Annotated[
        int | None,
        Field(description="First rows of the file that are audited; null: all.", ge=1),
    ] = None
    gateway_url: Annotated[
        AnyUrl | None,
        Field(
            description="Base URL of the gateway, without /v1, whose key is in GAVEL_API_KEY; null: all contestants are files."
        ),
    ] = None
    contestants: Annotated[list[Contestant], Field(min_length=1)]
    headline_mode: Annotated[
        str | None,
        Field(description="null: the grader's first mode.", pattern="^[a-z][a-z0-9_]*$"),
    ] = None
    reference_guided: bool = False
    threshold: Annotated[
        int,
        Field(
            description="A score at or above this says that the completion passes.",
            ge=1,
            le=9,
        ),
    ] = 5
    confidence: Annotated[float, Field(description="Confidence level of each interval.", gt=0.5, lt=1.0)] = (
        0.95
    )
    slices: Annotated[
        list[str],
        Field(
            description="Fields that the rows are sliced by: checkpoint (where a completion comes from), prompt_length (quarters), score (the judge's), or a field of the rows; a field that no row has is left out."
        ),
    ] = ["kind", "checkpoint", "prompt_length", "score"]
    gates: Annotated[
        list[GateSpec],
        Field(
            description="Bounds that decide the verdict; an empty list decides nothing.",
            validate_default=True,
        ),
    ] = [
        {
            "id": "fidelity.grader.headline.quadratic_weighted_kappa",
            "slice": "all",
            "at_least": 0.6,
            "at_most": None,
        },
        {
            "id": "teacher_wrong.grader.headline.balanced_accuracy_difference",
            "slice": "all",
            "at_least": -0.05,
            "at_most": None,
        },
        {"id": "coverage.grader.headline.scored", "slice": "all", "at_least": 0.95, "at_most": None},
        {"id": "coverage.judge.*.scored", "slice": "all", "at_least": 0.95, "at_most": None},
    ]
    looks: Annotated[
        str,
        Field(description="Path of the file that counts the looks at each set of rows."),
    ]


class AuditPlan(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    gates: list[AuditPlanGate]
    rows: Annotated[
        int | None,
        Field(description="Rows that are enough for every gate; null: no number is.", ge=1),
    ]
    prompts: Annotated[int | None, Field(ge=1)]


class FitNeed(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    stage: Literal["grpo", "sft", "audit"]
    what: Annotated[str, Field(description="trainer, or the role of a served model.")]
    device: Literal["gpu", "cpu"]
    copies: Annotated[
        int,
        Field(
            description="How many of these are there at once, each on a GPU of its own or all in main memory.",
            ge=1,
        ),
    ]
    moment: Annotated[str, Field(description="When the peak is reached.")]
    parts: list[FitPart]
    bytes: Annotated[int, Field(ge=0)]
    available_bytes: Annotated[int | None, Field(description="null where it is unknown.", ge=0)]
    verdict: Literal["fits", "tight", "too_large", "unknown"]
    changes: list[FitChange]
    note: Annotated[str | None, Field(description="What is not known, or assumed.")]


class FitReport(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    machine: FitMachine
    prompt_tokens: Annotated[int, Field(description="Longest prompt, with its chat template.", ge=1)]
    micro_batch_size: Annotated[
        int | None,
        Field(
            description="Chosen for grpo.micro_batch_size null on GPUs; null: as the spec says.",
            ge=1,
        ),
    ]
    verdict: Literal["fits", "tight", "too_large", "unknown"]
    needs: list[FitNeed]
    problems: Annotated[list[FitProblem], Field(description="Not empty where the verdict is too_large.")]
    step_time: Annotated[
        FitStepTime | None,
        Field(description="null in reports that were made without it."),
    ] = None


class FitRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    machine: FitMachine
    hub_cache: Annotated[str, Field(description="Folder in which models of the hub are kept.")]
    models: Annotated[
        FitRequestModels,
        Field(description="judge: null where gavel does not serve it."),
    ]
    gpu_name: Annotated[
        str | None,
        Field(description="What nvidia-smi calls the GPUs of the placement; null where it has none."),
    ] = None
    completion_tokens: Annotated[
        int | None,
        Field(
            description="Mean length of a completion; null: as long as the spec allows.",
            ge=1,
        ),
    ] = None
    reply_tokens: Annotated[
        int | None,
        Field(
            description="Mean length of the judge's reply; null: as long as the spec allows.",
            ge=1,
        ),
    ] = None


class Audit(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
    )
    version: Literal[2]
    run: str
    request_digest: Annotated[
        str | None,
        Field(description="sha256 of the request.json that it answers; null: stage audit of a run."),
    ] = None
    created_at: str
    subject: Literal["pointwise", "pairwise"]
    rows: Annotated[int, Field(ge=0)]
    prompts: Annotated[int, Field(ge=0)]
    excluded_rows: Annotated[
        int,
        Field(
            description="Rows left out because their prompt is in the training traces.",
            ge=0,
        ),
    ]
    truth_labels: Annotated[
        dict[str, int],
        Field(
            description="Rows by their true label (right and wrong, or A, B and tie); empty: no truth is known."
        ),
    ]
    headline_mode: Annotated[
        str,
        Field(
            description="The mode that `headline` in the id of a gate stands for.",
            pattern="^[a-z][a-z0-9_]*$",
        ),
    ]
    reference_guided: bool
    threshold: Annotated[
        float,
        Field(
            description='The rubric\'s: a verdict says "right" where a score at or above this has more than half of the probability.'
        ),
    ]
    confidence: Annotated[
        float,
        Field(description="Level of every interval; above the one asked for from the second look on."),
    ]
    look: AuditLook
    contestants: list[AuditContestants]
    parts: list[PartInfo]
    measures: list[MeasureInfo]
    records: list[MeasureRecord]
    tables: list[CountTable]
    findings: list[Finding]
    slices: list[SliceField]
    passes: list[GradingPass]
    gates: list[GateResult]
    verdict: Annotated[
        Literal["PASS", "FAIL", "INCONCLUSIVE"],
        Field(description="PASS: every gate passes, and at least one of them is about the grader."),
    ]
    covers: Annotated[
        list[str],
        Field(
            description="Parts in which a cleared gate is about the grader: the verdict says nothing of the others."
        ),
    ]
