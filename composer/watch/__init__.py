"""Dev mode: a developer's save is inside the containers before they look up, and the stack follows its files as they are edited.

Words. A **Rule** is one entry of `develop.watch`: what is done when something beneath its path changes. A **Sieve** says which paths a rule
means; a **Tree** is what a rule's path holds, and gives **Deltas** (what changed, what is gone). A **Source** tells which paths changed, in
batches: 30 ms of quiet end a batch, 150 ms bound it. A **Crew** is one service: its rules, its replicas, and the one who serves them. The
**Door** is what the daemon does for us. Source: Compose Develop Specification (develop.watch).

The package reads files with the rights of who calls it and knows neither the daemon nor a terminal: both are passed in.
"""
