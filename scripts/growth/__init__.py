"""The parts of scripts/bench-growth."""
