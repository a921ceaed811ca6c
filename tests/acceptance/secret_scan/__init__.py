"""No secret is left lying about: known values are looked for wherever the console writes or tells something.

`scanning.py` looks; `test_a_day.py` runs a real console through a day with planted secrets and looks afterwards;
`noting.py` notes the secrets that any test makes, and `after_suite.py` looks through what the whole suite left.
"""
