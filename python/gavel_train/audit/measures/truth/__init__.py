"""Truth: does a contestant tell right from wrong?"""

from gavel_train.audit.measure import Part

PART = Part(
    part="truth",
    question="Does it tell right from wrong?",
    meaning="Labels against the truth, on the rows whose truth is known; the judge is measured too.",
    order=20,
)
