"""Order: does a pair's verdict depend on which completion is shown first?"""

from gavel_train.audit.measure import Part

PART = Part(
    part="order",
    question="Does it prefer a position?",
    meaning="Each pair is asked about in both orders. Where the answers differ, the verdict is a tie.",
    needs="pairs, and a contestant that is asked",
    order=45,
)
