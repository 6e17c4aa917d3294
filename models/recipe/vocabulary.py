"""The one word-level vocabulary of the three demo models, as tokenizer files and as ids for the data makers.

Integers from -99 to 99 are single tokens, signed ones too (`+4`): arithmetic becomes a table that a tiny
model can learn, and every digit 0-9 is one token.
"""

import json
import re
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

PAD, UNKNOWN, END = "<|pad|>", "<|unknown|>", "<|end|>"
USER, ASSISTANT, SYSTEM = "<|user|>", "<|assistant|>", "<|system|>"
SPECIALS = [PAD, UNKNOWN, END, USER, ASSISTANT, SYSTEM]

LARGEST = 99

_PROBLEM_WORDS = ["Evaluate ", "Add (", "Expand (", "Differentiate ", "Solve ", " at x=", ")+(", ")(", ")."]
_ALGEBRA = ["x^3", "x^2", "x", "*", "/", "=", ", ", ". ", ".", "\n", " ", "(", ")", "+", "-"]
_ANSWER_WORDS = ["Answer ", "So "]
_REPLY_WORDS = [" ok; ", " no; ", "missing; ", "Score: "]
_CUES = ["Check each step.", "Score only.", "How many wrong?", "Where wrong?"]
_CUE_REPLIES = ["yes", "no", "none", "one", "two", "many", "early", "late", "answer"]
_LISTED_WORDS = _PROBLEM_WORDS + _ALGEBRA + _ANSWER_WORDS + _REPLY_WORDS + _CUES + _CUE_REPLIES

CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message.role == 'assistant' -%}<|assistant|>"
    "{% generation %}{{ message.content }}<|end|>{% endgeneration %}"
    "{%- elif message.role == 'system' -%}<|system|>{{ message.content }}"
    "{%- else -%}<|user|>{{ message.content }}"
    "{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)


def tokens() -> list[str]:
    """Every token in id order."""
    plain = [str(n) for n in range(-LARGEST, LARGEST + 1)]
    signed = [f"+{n}" for n in range(LARGEST + 1)]
    listed = SPECIALS + _LISTED_WORDS + plain + signed
    # A multiple of 16 keeps matrix kernels on their fast path.
    spare = [f"<|spare-{n}|>" for n in range(-len(listed) % 16)]
    return listed + spare


IDS = {token: index for index, token in enumerate(tokens())}

_NUMBER = r"[+-]?[1-9][0-9]?|\+?0"
# Longest first: " at x=" must not be read as " " and unknown letters.
_WORDS = sorted(
    _PROBLEM_WORDS + _ALGEBRA + _ANSWER_WORDS + _REPLY_WORDS + _CUES + _CUE_REPLIES, key=len, reverse=True
)
_SPLIT = "|".join([_NUMBER, *map(re.escape, _WORDS)])


def tokenizer() -> PreTrainedTokenizerFast:
    """Build the tokenizer: text made of its tokens reads back unchanged, any other becomes unknowns."""
    inner = Tokenizer(models.WordLevel(IDS, unk_token=UNKNOWN))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated")
    inner.decoder = decoders.Fuse()
    inner.add_special_tokens(SPECIALS)
    outer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        unk_token=UNKNOWN,
        eos_token=END,
        clean_up_tokenization_spaces=False,
        model_max_length=256,
        padding_side="left",
    )
    outer.chat_template = CHAT_TEMPLATE
    return outer


def save_tokenizer(folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json, the chat template inside the latter."""
    outer = tokenizer()
    outer.save_pretrained(folder, save_jinja_files=False)
    config = folder / "tokenizer_config.json"
    content = json.loads(config.read_text())
    content["chat_template"] = CHAT_TEMPLATE
    # The name that transformers 4 knows as well as 5.
    content["tokenizer_class"] = "PreTrainedTokenizerFast"
    config.write_text(json.dumps(content, indent=2) + "\n")


def encode(text: str) -> list[int]:
    """Token ids of text made of known tokens; raises KeyError on anything else."""
    return [IDS[piece] for piece in _PIECES.findall(text)]


_PIECES = re.compile(r"<\|[a-z]+\|>|" + _SPLIT)
