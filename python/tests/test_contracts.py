"""The models that are generated from src/contracts."""

import inspect
import re

from pydantic import BaseModel

from gavel_train import contracts


def models() -> dict[str, type[BaseModel]]:
    return {
        name: value
        for name, value in vars(contracts).items()
        if inspect.isclass(value) and issubclass(value, BaseModel) and value.__module__ == contracts.__name__
    }


def test_every_nested_schema_has_a_name_of_its_own_and_none_is_told_apart_by_a_number():
    names = models()
    counted = [name for name in names if re.search(r"\d$|Item$|AdditionalProperty$", name)]
    assert counted == []
    # The generator's other way out of a name that is taken.
    assert [name for name in names if name.removesuffix("Model") != name and name[:-5] in names] == []
    for name in ("PhaseLine", "CommitLine", "WaitingLine", "ResumedLine", "ManifestFile", "GateResult"):
        assert name in names


def test_defaults_of_the_contracts_are_defaults_in_python_nested_ones_too():
    audit = contracts.AuditSpec()
    assert audit.confidence == 0.95
    kappa = "fidelity.grader.headline.quadratic_weighted_kappa"
    assert audit.gates[0] == contracts.GateSpec(id=kappa, at_least=0.6)
    assert contracts.SftSpec.model_fields["lora"].is_required() is False
    assert contracts.Outcome(status="done", message="").field is None
