"""Truth: does a contestant track the truth?"""

from gavel_train.audit.measure import Part

PART = Part(
    part="truth",
    question="Does it track the truth?",
    meaning="Labels against the truth, on the rows whose truth is known; the judge is measured too.",
    needs="rows whose truth is known; agreement with a judge alone is perfect for a copy of its mistakes",
    order=20,
)
