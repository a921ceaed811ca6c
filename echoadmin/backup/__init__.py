"""A backup that is safe while everything runs, and its restore: the database, the spools, what the keys are.

Not in it: the environment (TAVUS_API_KEY and the rest), and the sandbox's twin, which stands for a vendor.
"""
