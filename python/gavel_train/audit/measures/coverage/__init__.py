"""Coverage: on how many rows is there a score?"""

from gavel_train.audit.measure import Part

PART = Part(
    part="coverage",
    question="How often does it give a score?",
    meaning="Verdicts by kind. A verdict without a score is counted here and scored nowhere.",
    needs="a contestant",
    order=40,
)
