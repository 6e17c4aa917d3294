import json
import shutil

import pytest
from shapes import config_of

from gavel_train.contracts import LocatedModel
from gavel_train.fit.shape import UnknownShape, from_config, shape_of


def located(folder) -> LocatedModel:
    return LocatedModel(path=str(folder), revision=None)


def test_headers_and_the_meta_device_give_the_same_sizes(tiny_model, tmp_path):
    from transformers import AutoModelForCausalLM

    read = shape_of(located(tiny_model), tmp_path)
    assert read.parameters == AutoModelForCausalLM.from_pretrained(tiny_model).num_parameters()
    shutil.copy(tiny_model / "config.json", tmp_path)
    assert shape_of(located(tmp_path), tmp_path) == read


def test_weights_of_which_a_file_is_missing_are_counted_from_the_config(tiny_model, tmp_path):
    shutil.copy(tiny_model / "config.json", tmp_path)
    index = {"weight_map": {"a": "model-00001.safetensors", "b": "model-00002.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    shutil.copy(tiny_model / "model.safetensors", tmp_path / "model-00001.safetensors")
    assert shape_of(located(tmp_path), tmp_path) == shape_of(located(tiny_model), tmp_path)


def test_a_head_that_is_stored_beside_the_embedding_it_is_tied_to_counts_once():
    config = config_of(hidden=64, layers=2, heads=4, key_heads=2, ffn=128, vocabulary=1000)
    weights = {"model.embed_tokens.weight": ((1000, 64), 4), "lm_head.weight": ((1000, 64), 4)}
    assert from_config(config, weights).parameters == 64_000
    apart = from_config(config | {"tie_word_embeddings": False}, weights)
    assert (apart.parameters, apart.tied) == (128_000, False)


def test_a_model_of_the_hub_is_read_from_the_cache(tiny_model, tmp_path):
    folder = tmp_path / "models--some--model" / "snapshots" / ("0" * 40)
    shutil.copytree(tiny_model, folder)
    cached = LocatedModel(path="some/model", revision="0" * 40)
    assert shape_of(cached, tmp_path) == shape_of(located(tiny_model), tmp_path)


def test_a_config_that_names_no_sizes_is_an_unknown_shape(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "odd"}')
    with pytest.raises(UnknownShape, match=r"odd|KeyError|ValueError"):
        shape_of(located(tmp_path), tmp_path)
