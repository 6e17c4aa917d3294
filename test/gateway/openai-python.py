"""Drives a gateway with the openai package for Python; prints one JSON object. argv: base URL. Key in OPENAI_API_KEY."""

import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], max_retries=0)
messages = [{"role": "user", "content": "Hello?"}]


def error_of(**change):
    try:
        client.chat.completions.create(**{"model": "judge", "messages": messages, **change})
    except openai.APIStatusError as error:
        return type(error).__name__
    return None


def refused():
    try:
        openai.OpenAI(base_url=sys.argv[1], api_key="wrong", max_retries=0).models.list()
    except openai.AuthenticationError:
        return True
    return False


stream = client.chat.completions.create(model="judge", messages=messages, stream=True)
print(
    json.dumps(
        {
            "chat": client.chat.completions.create(model="judge", messages=messages).choices[0].message.content,
            "stream": [chunk.choices[0].delta.content for chunk in stream if chunk.choices[0].delta.content],
            "models": [model.id for model in client.models.list()],
            "unknown_model": error_of(model="gpt-9"),
            "bad_request": error_of(messages="hi"),
            "limited": error_of(user="limited"),
            "away": error_of(user="broken"),
            "wrong_key": refused(),
        }
    )
)
