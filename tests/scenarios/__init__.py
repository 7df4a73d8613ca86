"""Whole stacks through the real command, with a daemon of their own: what a user sees, and what is left behind (nothing)."""
