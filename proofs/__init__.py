"""Is it so? Claims, put to the proof; each exits with 1 if it does not hold.

    python -m proofs.determinism     the same trace on any Python, hash seed and load (minutes)
    python -m proofs.truth           what virtual time says, beside the real clock (a minute)
    python -m proofs.wheel           the package, installed: the course is in it (two minutes)
    python -m proofs.binder          the image that Binder would make, step by step (minutes)

What is run is in `tests.experiments`.
"""
