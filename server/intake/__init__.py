"""Import: what awaits around reading and mapping. Sources, checkpoints, quarantine, reports."""
