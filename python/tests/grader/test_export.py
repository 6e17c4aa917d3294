import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tiny_run import ledger_of, render, resolved_spec, sums, take_epoch, tokenizer, write_segment

from gavel_train.contracts import ExportRequest
from gavel_train.grader.export import export
from gavel_train.run.outcome import BadRequest


@pytest.fixture
def run_dir(tmp_path):
    folder = tmp_path / "runs" / "tiny"
    write_segment(folder, "grpo-e1-000001.jsonl", sums(24, 2))
    take_epoch(folder, "grpo", 1)
    (folder / "spec.json").write_text(json.dumps(resolved_spec()))
    (folder / "data").mkdir()
    prompts = [
        {"id": f"t-{n}", "prompt": f"{n}+1=", "ground_truth": str(n + 1), "meta": {}} for n in range(5)
    ]
    (folder / "data" / "train.jsonl").write_text("".join(json.dumps(p) + "\n" for p in prompts))
    return folder


def request(run_dir: Path, form: str, out: Path, **options) -> ExportRequest:
    given = {"run_dir": str(run_dir), "format": form, "out": str(out), "split": "train", "force": False}
    return ExportRequest.model_validate(
        given | {"ledger": ledger_of(run_dir), "gateway_url": "http://127.0.0.1:9"} | options
    )


def make(run_dir: Path, form: str, name: str, **options) -> Path:
    out = run_dir / name
    export(request(run_dir, form, out, **options), render)
    return out


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_verl_parquet_has_the_columns_and_types_that_verl_documents(run_dir):
    table = pq.read_table(make(run_dir, "verl", "train.parquet"))
    assert table.column_names == ["data_source", "prompt", "ability", "reward_model", "extra_info"]
    assert table.num_rows == 5
    row = table.to_pylist()[2]
    assert row == {
        "data_source": "gavel/jsonl",
        "prompt": [{"role": "user", "content": "2+1="}],
        "ability": "other",
        "reward_model": {"style": "rule", "ground_truth": "3"},
        "extra_info": {"index": 2, "split": "train", "id": "t-2"},
    }


def test_verl_parquet_has_the_messages_of_a_prompt_that_is_a_conversation(run_dir):
    talk = [{"role": "system", "content": "Count."}, {"role": "user", "content": "2+1="}]
    path = run_dir / "data/train.jsonl"
    given = lines(path)
    given[2] |= {"prompt": "[system]\nCount.\n\n[user]\n2+1=", "messages": talk}
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    rows = pq.read_table(make(run_dir, "verl", "train.parquet")).to_pylist()
    assert rows[2]["prompt"] == talk
    assert rows[1]["prompt"] == [{"role": "user", "content": "1+1="}]


def test_verls_own_dataset_class_loads_the_parquet(run_dir, tmp_path):
    rl_dataset = pytest.importorskip(
        "verl.utils.dataset.rl_dataset",
        reason="verl is not installed: its own class did NOT check the export",
    )
    from omegaconf import OmegaConf

    words = tokenizer()
    config = OmegaConf.create(
        {"max_prompt_length": 64, "cache_dir": str(tmp_path), "filter_overlong_prompts_workers": 1}
    )
    dataset = rl_dataset.RLHFDataset(str(make(run_dir, "verl", "train.parquet")), words, config)
    assert len(dataset) == 5
    assert dataset[0]["raw_prompt"] == [{"role": "user", "content": "0+1="}]
    assert dataset[0]["reward_model"]["ground_truth"] == "1"


def test_sft_export_holds_both_modes_and_says_what_was_held_out(run_dir):
    rows = lines(make(run_dir, "sft", "sft.jsonl"))
    assert len(rows) == 2 * 48
    assert {row["mode"] for row in rows} == {"reasoned", "single_token"}
    assert {row["split"] for row in rows} == {"train", "holdout"}
    single = next(row for row in rows if row["mode"] == "single_token")
    assert single["messages"][-1] == {"role": "assistant", "content": str(single["score"])}


def test_openai_export_is_the_judges_conversations(run_dir):
    rows = lines(make(run_dir, "openai", "traces.jsonl"))
    assert len(rows) == 48
    assert [message["role"] for message in rows[0]["messages"]] == ["user", "assistant"]
    assert rows[0]["messages"][-1]["content"].startswith("I see. Score: ")
    assert all(set(row) == {"messages"} for row in rows)


def test_an_export_for_openai_holds_the_answer_from_its_beginning_with_the_thinking(run_dir):
    begun = [line | {"answer_prefix": "Well: ", "thinking": "Hm."} for line in sums(24, 2)]
    write_segment(run_dir, "grpo-e1-000001.jsonl", begun)
    rows = lines(make(run_dir, "openai", "traces.jsonl"))
    assert len(rows) == 48
    assert all(row["messages"][-1]["content"].startswith("Well: Hm.\n\nI see. Score: ") for row in rows)


def test_a_file_that_is_there_is_replaced_only_by_force(run_dir):
    out = make(run_dir, "openai", "traces.jsonl")
    before = out.read_bytes()
    with pytest.raises(BadRequest, match="--force"):
        make(run_dir, "sft", "traces.jsonl")
    assert out.read_bytes() == before
    make(run_dir, "sft", "traces.jsonl", force=True)
    assert out.read_bytes() != before


def test_an_export_that_cannot_be_made_leaves_nothing_and_says_why(run_dir):
    with pytest.raises(BadRequest, match=r"\.parquet"):
        make(run_dir, "verl", "train.jsonl")
    with pytest.raises(BadRequest, match=r"eval\.jsonl"):
        make(run_dir, "verl", "eval.parquet", split="eval")
    with pytest.raises(BadRequest, match=r"spec\.json"):
        export(request(run_dir / "no", "sft", run_dir / "x"), render)
    assert not list(run_dir.glob("*.parquet"))


def test_the_command_renders_through_the_gateway_and_prints_one_json_line_or_one_line_of_what_is_wrong(
    run_dir, gateways
):
    gateway = gateways(run_dir, stage="serve")

    def command(form: str):
        path = run_dir / "request.json"
        path.write_text(
            request(run_dir, form, run_dir / "o.jsonl", gateway_url=gateway.url).model_dump_json()
        )
        return subprocess.run(
            [sys.executable, "-m", "gavel_train.grader.export", str(path)],
            cwd=Path(__file__).resolve().parents[2],
            capture_output=True,
            text=True,
        )

    done = command("sft")
    assert (done.returncode, json.loads(done.stdout)["rows"]) == (0, 96)
    assert gateway.rendered == 49
    again = command("openai")
    assert (again.returncode, again.stdout) == (2, "")
    assert len(again.stderr.splitlines()) == 1
