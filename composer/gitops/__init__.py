"""Stacks that follow a git repository: fetch, trust, decrypt, plan, bring up, wait for health, roll back, report.

Words: a **source** is a repository, a ref and a path that somebody added; an **app** is one stack of it (a source whose path is a
directory has one for each folder). The **head** is the commit that the ref names; an app **applied** a commit when its stack was brought
there, the commit is **healthy** once the gate was passed, and **quarantined** when it was not. The daemon passes in what brings stacks
up (`ground.Ground`); this package never imports it.
"""
