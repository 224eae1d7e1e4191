"""Questions about what a registry holds: data IDs, records and datasets.

::

    Question ──names──> References ──joins──> Plan (FROM, in the order of least work) ──compiler──> SQL

All of it but the last step is pure; plans are kept for each shape of question.
"""
