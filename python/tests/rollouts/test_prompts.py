from tiny_run import tokenizer

from gavel_train.rollouts.prompts import as_prompt, tokenize


def test_a_prompt_is_rendered_with_the_template_arguments_of_the_policy_and_its_text_stays_as_it_is():
    words = tokenizer()
    words.chat_template = "{% if enable_thinking is false %}<calm>{% endif %}" + words.chat_template
    prompt = as_prompt(words, "1+1=")
    (calm,) = tokenize(words, [prompt], {"enable_thinking": False})
    (plain,) = tokenize(words, [prompt], {})
    assert words.decode(calm) == "<calm>" + words.decode(plain)
