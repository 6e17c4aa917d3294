"""Same score as the judge."""

from gavel_train.audit.measure import Measure
from gavel_train.audit.sample import Sample
from gavel_train.audit.statistic import Statistic


def _statistic(sample: Sample) -> Statistic | None:
    raise NotImplementedError


MEASURES = (
    Measure(
        part="fidelity",
        name="exact",
        label="same score",
        unit="share",
        meaning="Share of rows on which both gave the same score.",
        statistic=_statistic,
        order=20,
    ),
)
