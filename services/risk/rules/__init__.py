"""One file a rule: its state, its step, its parameters, its source and its words for people."""
