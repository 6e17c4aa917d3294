"""Both engines that sample in the trainer's process: the same tokens, the same distribution."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from rollout_models import ARCHITECTURES, VOCABULARY, make, prompts
from scipy.stats import chisquare
from tiny_run import tokenizer

from gavel_train.rollouts.cached import CachedEngine, UnsupportedModel
from gavel_train.rollouts.engine import Sampling
from gavel_train.rollouts.transformers_generate import GenerateEngine
from gavel_train.run import lifetime

CPU = torch.device("cpu")
# Several tokens end a completion, so that rows of a random model end at many different steps.
ENDS = frozenset({1, *range(20, 28)})


def by_index(engine, asked, sampling):
    completions = sorted(engine.generate(asked, sampling), key=lambda one: one.index)
    assert [one.index for one in completions] == list(range(len(asked)))
    return [(one.token_ids, one.ended) for one in completions]


def cached(model, **options):
    return CachedEngine(model, tokenizer(), device=CPU, **options)


def one_by_one(model, asked, sampling):
    """Each prompt alone through transformers' generate: no padding, no batch."""
    engine = GenerateEngine(model, tokenizer(), device=CPU)
    known = {tuple(ids): by_index(engine, [ids], sampling)[0] for ids in asked}
    return [known[tuple(ids)] for ids in asked]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    ("lengths", "groups"),
    [((1,), 1), ((1, 2, 5, 30, 31, 70), 3), ((9, 9, 9), 4)],
    ids=["one", "mixed", "even"],
)
@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_greedy_tokens_are_those_of_transformers(architecture, lengths, groups, penalty):
    model = make(architecture)
    asked = prompts(lengths, groups)
    greedy = Sampling(24, temperature=0, repetition_penalty=penalty, stop_ids=ENDS)
    assert by_index(cached(model), asked, greedy) == one_by_one(model, asked, greedy)


def test_greedy_tokens_of_a_model_with_an_adapter_and_dropout_in_train_mode_are_those_of_transformers():
    torch.manual_seed(3)
    base = make("qwen3")
    policy = get_peft_model(
        base, LoraConfig(r=4, lora_dropout=0.5, target_modules="all-linear", init_lora_weights=False)
    )
    policy.gradient_checkpointing_enable()
    policy.train()
    asked = prompts((3, 12, 40), 4)
    greedy = Sampling(24, temperature=0, stop_ids=ENDS)
    found = by_index(cached(policy), asked, greedy)
    assert policy.training
    assert found == one_by_one(policy.eval(), asked, greedy)
    with policy.disable_adapter():
        assert found != by_index(cached(policy), asked, greedy)


def test_with_weights_in_bfloat16_the_tokens_are_those_of_autocast():
    model = make("llama", dtype=torch.float32)
    asked = prompts((5, 20), 3)
    greedy = Sampling(12, temperature=0, stop_ids=frozenset())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = by_index(cached(model), asked, greedy)
    assert by_index(cached(model, compute_dtype=torch.bfloat16), asked, greedy) == expected


def test_a_stop_string_ends_a_completion():
    model = make("qwen3")
    asked = prompts((4, 9), 2)
    plain = by_index(cached(model), asked, Sampling(30, temperature=0))
    text = tokenizer().decode(plain[0][0])
    sampling = Sampling(30, temperature=0, stop_strings=(text[5:7],))
    found = by_index(cached(model), asked, sampling)
    assert found == one_by_one(model, asked, sampling)
    assert found == by_index(GenerateEngine(model, tokenizer(), device=CPU), asked, sampling)
    assert found[0][1] == "stop" and len(found[0][0]) < 30


FILTERS = [
    Sampling(1),
    Sampling(1, temperature=0.6),
    Sampling(1, top_k=7),
    Sampling(1, top_p=0.7),
    Sampling(1, min_p=0.05),
    Sampling(1, temperature=1.4, top_k=30, top_p=0.9, min_p=0.01, repetition_penalty=1.5),
]


@pytest.mark.parametrize("sampling", FILTERS, ids=str)
def test_the_first_token_is_drawn_from_the_distribution_of_transformers(sampling):
    """20,000 draws against the exact probabilities; transformers' own filters compute those."""
    from transformers import GenerationConfig, LogitsProcessorList

    model = make("qwen3", dtype=torch.float32)
    (ids,) = prompts((12,), 1)
    config = GenerateEngine(model, tokenizer(), device=CPU)._config(sampling)
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[:, -1]
    filters: LogitsProcessorList = model._get_logits_processor(
        GenerationConfig(**config.to_diff_dict()), input_ids_seq_length=len(ids)
    )
    expected = filters(torch.tensor([ids]), logits.float()).softmax(-1)[0].double()
    torch.manual_seed(5)
    draws = 20_000
    counts = torch.zeros(VOCABULARY)
    for one in cached(model).generate([ids] * draws, sampling):
        counts[one.token_ids[0]] += 1
    assert (counts[expected == 0] == 0).all()
    # Cells that expect fewer than five draws are joined.
    rare = expected * draws < 5
    found = torch.cat([counts[~rare].double(), counts[rare].sum()[None].double()])
    wanted = torch.cat([expected[~rare], expected[rare].sum()[None]]) * draws
    kept = wanted > 0
    assert chisquare(found[kept].numpy(), wanted[kept].numpy(), sum_check=False).pvalue > 1e-4


def test_a_completion_that_outgrows_the_first_buffer_goes_on_as_it_would(monkeypatch):
    monkeypatch.setattr("gavel_train.rollouts.shared_prefix._FIRST_CAPACITY", 4)
    model = make("llama")
    asked = prompts((3, 12), 4)
    greedy = Sampling(19, temperature=0, stop_ids=ENDS)
    assert by_index(cached(model), asked, greedy) == one_by_one(model, asked, greedy)


def test_rows_of_one_group_are_drawn_independently_and_a_seed_gives_the_same_rows_again():
    model = make("llama", dtype=torch.float32)
    asked = prompts((6, 15), 16)

    def sampled(seed):
        torch.manual_seed(seed)
        return by_index(cached(model), asked, Sampling(20, stop_ids=ENDS))

    first = sampled(7)
    assert first == sampled(7) != sampled(8)
    assert len({tuple(ids) for ids, _ in first[:16]}) > 8


def test_a_completion_is_yielded_when_it_ends_and_not_when_the_slowest_does():
    model = make("qwen3", dtype=torch.float32)
    torch.manual_seed(0)
    lengths = [
        len(one.token_ids) for one in cached(model).generate(prompts((8,), 24), Sampling(40, stop_ids=ENDS))
    ]
    assert lengths == sorted(lengths) and lengths[0] < lengths[-1]


def test_what_a_model_ships_in_its_generation_config_does_not_change_how_it_is_sampled():
    """The judge of a run, its policy in training and its policy in evaluation sample as the spec says."""
    model = make("llama", dtype=torch.float32)
    asked = prompts((4, 11), 2)

    def sampled():
        found = []
        for engine in (cached(model), GenerateEngine(model, tokenizer(), device=CPU)):
            for temperature in (0.0, 1.0):
                torch.manual_seed(0)
                found.append(by_index(engine, asked, Sampling(12, temperature=temperature)))
        return found

    plain = sampled()
    shipped = {"repetition_penalty": 5.0, "no_repeat_ngram_size": 1, "min_p": 0.9, "typical_p": 0.1}
    shipped |= {"top_k": 1, "top_p": 0.1, "epsilon_cutoff": 0.5, "min_new_tokens": 12, "temperature": 0.1}
    for name, value in shipped.items():
        setattr(model.generation_config, name, value)
    assert sampled() == plain


@pytest.mark.parametrize("engine", [CachedEngine, GenerateEngine])
def test_a_notice_ends_a_generation_early_where_the_engine_was_told_so(engine, monkeypatch):
    model = make("llama", dtype=torch.float32)
    monkeypatch.setattr(lifetime, "stop_requested", lambda: True)
    asked = prompts((4,), 2)
    stopping = engine(model, tokenizer(), device=CPU, give_up_on_notice=True)
    assert list(stopping.generate(asked, Sampling(5))) == []
    assert len(list(engine(model, tokenizer(), device=CPU).generate(asked, Sampling(5)))) == 2


def test_a_consumer_that_stops_taking_leaves_the_model_as_it_was():
    model = make("qwen3", dtype=torch.float32).train()
    stream = cached(model).generate(prompts((4,), 8), Sampling(20, stop_ids=ENDS))
    next(stream)
    assert model.config._attn_implementation == "gavel_shared_prefix"
    assert torch.is_grad_enabled()
    stream.close()
    assert model.training
    assert model.config._attn_implementation != "gavel_shared_prefix"


def test_gradients_of_a_fixed_batch_are_the_same_bits_after_a_rollout():
    def gradients(rollout: bool):
        model = make("qwen3", dtype=torch.float32)
        model.gradient_checkpointing_enable()
        model.train()
        asked = prompts((6, 9), 4)
        if rollout:
            list(cached(model, compute_dtype=torch.bfloat16).generate(asked, Sampling(12)))
        batch = torch.tensor(prompts((16,), 4))
        model(batch, labels=batch).loss.backward()
        return [parameter.grad for parameter in model.parameters()]

    assert all(torch.equal(one, other) for one, other in zip(gradients(True), gradients(False), strict=True))


def test_an_empty_prompt_is_refused_and_no_prompts_give_no_completions():
    engine = cached(make("llama"))
    with pytest.raises(ValueError, match="at least one token"):
        list(engine.generate([[4], []], Sampling(3)))
    assert list(engine.generate([], Sampling(3))) == []


def test_a_model_with_layers_that_are_no_attention_is_refused_with_the_engine_to_use():
    model = make("qwen3")
    model.config.layer_types = ["linear_attention", "full_attention", "full_attention"]
    with pytest.raises(UnsupportedModel, match=r"linear_attention.*use rollout: transformers"):
        cached(model)
