"""Speed: how fast do verdicts come?"""

from gavel_train.audit.measure import Part

PART = Part(
    part="speed",
    question="How fast is it?",
    meaning="Rows that a model was asked about, by wall time. Answers from the ledger are left out.",
    needs="a model that was asked; verdicts from files and from the ledger have no times",
    order=50,
)
