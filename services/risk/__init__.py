"""Risk: keeps books of marks, runs every rule on them, and publishes bells."""
