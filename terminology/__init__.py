"""Code systems, value sets, concept maps and their operations."""
