import torch
from tiny_run import tokenizer
from transformers import AutoModelForCausalLM

from gavel_train.rollouts.generation import as_prompt, complete, sampling_config, tokenize


def test_a_prompt_is_rendered_with_the_template_arguments_of_the_policy_and_its_text_stays_as_it_is():
    words = tokenizer()
    words.chat_template = "{% if enable_thinking is false %}<calm>{% endif %}" + words.chat_template
    prompt = as_prompt(words, "1+1=")
    (calm,) = tokenize(words, [prompt], {"enable_thinking": False})
    (plain,) = tokenize(words, [prompt], {})
    assert words.decode(calm) == "<calm>" + words.decode(plain)


def test_what_a_model_ships_in_its_generation_config_does_not_change_how_it_is_sampled(tiny_model):
    """The judge of a run, its policy in training and its policy in evaluation sample as the spec says."""
    words = tokenizer()
    ids = tokenize(words, [as_prompt(words, "1+1="), as_prompt(words, "20+22=")], {})
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32).eval()

    def sampled(temperature):
        torch.manual_seed(0)
        config = sampling_config(words, temperature=temperature, max_new_tokens=12)
        return complete(model, ids, config, device=torch.device("cpu"))

    plain = [sampled(0), sampled(1.0)]
    shipped = {"repetition_penalty": 5.0, "no_repeat_ngram_size": 1, "min_p": 0.9, "typical_p": 0.1}
    shipped |= {"top_k": 1, "top_p": 0.1, "epsilon_cutoff": 0.5, "min_new_tokens": 12, "temperature": 0.1}
    for name, value in shipped.items():
        setattr(model.generation_config, name, value)
    assert [sampled(0), sampled(1.0)] == plain
