"""Can it be shown that nobody changed the log? Triggers that refuse, checkpoints that are signed, and who looks."""
