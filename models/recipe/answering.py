"""Batches of answers from a demo model, through its own tokenizer, chat template and the shipped rubric."""

import re
from pathlib import Path

import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

RUBRIC = Path(__file__).resolve().parents[2] / "examples" / "rubrics" / "poly-easy.yaml"

_SCORE = re.compile(r"Score: (\d)$")


class Answerer:
    """A loaded model with its tokenizer; `model` may also be given, as when an adapter sits on it."""

    def __init__(self, folder: Path, model: PreTrainedModel | None = None) -> None:
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
        self.model = model or AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self.model.eval()
        self.modes: dict = yaml.safe_load(RUBRIC.read_text())["modes"]
        self.digit_ids = [self.tokenizer.convert_tokens_to_ids(str(n)) for n in range(10)]

    def sample(self, contents: list[str], temperature: float = 1.0, batch: int = 256) -> list[str]:
        """One reply per user message; temperature 0 is greedy."""
        replies: list[str] = []
        for start in range(0, len(contents), batch):
            given = self._encode(contents[start : start + batch])
            length = given["input_ids"].shape[1]
            choice = (
                {"do_sample": True, "temperature": temperature, "top_k": 0}
                if temperature
                else {"do_sample": False}
            )
            with torch.inference_mode():
                out = self.model.generate(**given, max_new_tokens=64, **choice)
            replies += self.tokenizer.batch_decode(out[:, length:], skip_special_tokens=True)
        return replies

    def reason(self, rows: list[tuple[str, str]]) -> tuple[list[str], list[int | None]]:
        """Reasoned replies to (prompt, completion) rows, and their scores; None where none ends the reply."""
        replies = self.sample([self.content("reasoned", *row) for row in rows], temperature=0)
        found = [_SCORE.search(reply) for reply in replies]
        return replies, [int(match[1]) if match else None for match in found]

    def digit_mass(self, rows: list[tuple[str, str]], batch: int = 512) -> torch.Tensor:
        """Probability of the ten digits together after the single-token cue; shape (rows,), 0-1."""
        masses = []
        for start in range(0, len(rows), batch):
            given = self._encode([self.content("single_token", *row) for row in rows[start : start + batch]])
            with torch.inference_mode():
                logits_BV = self.model(**given).logits[:, -1]
            masses.append(logits_BV.float().softmax(-1)[:, self.digit_ids].sum(-1))
        return torch.cat(masses)

    def content(self, mode: str, prompt: str, completion: str) -> str:
        """The user message that the rubric makes of a row."""
        template = self.modes[mode]["messages"][0]["content"]
        return template.replace("{{prompt}}", prompt).replace("{{completion}}", completion)

    def _encode(self, contents: list[str]) -> dict[str, torch.Tensor]:
        chats = [[{"role": "user", "content": content}] for content in contents]
        texts = self.tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
        given = self.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        return {"input_ids": given["input_ids"], "attention_mask": given["attention_mask"]}
