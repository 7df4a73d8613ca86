"""Scheduled jobs: `runs` remembers them, `carry` carries one out, `jobs` decides when, `verbs` answer `composer jobs`."""
