"""What a deployment must have, told at start."""
