"""Fidelity: does the grader reproduce the judge?"""

from gavel_train.audit.measure import Part

PART = Part(
    part="fidelity",
    question="Does it reproduce the judge?",
    meaning="Agreement with the judge on the rows that both scored; a copy of its mistakes is perfect.",
    needs="verdicts of a judge",
    order=10,
)
