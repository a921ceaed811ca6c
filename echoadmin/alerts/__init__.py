"""Saved views of the log, rules on them, and the alerts that rules raise."""
