"""Fuzzing: what is put in is anything, what must come out is known."""
