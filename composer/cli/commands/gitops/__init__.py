"""``composer gitops``: stacks that follow a git repository."""
