"""What every mirrored object shares: the model's base, and the way it is created (reserve, call, settle)."""
