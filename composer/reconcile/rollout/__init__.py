"""Rollouts: a service moving from one revision to the next, and back when that fails.

`model` has the words, `rules` reads them from a service, `machine` decides (pure), `roll` carries out.
"""
