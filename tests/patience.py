"""How long tests wait for what must come."""

PATIENCE_S = 60.0
"""A process imports much before it listens, and other work may share the machine."""
