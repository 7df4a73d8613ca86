"""What is said before anything is touched: a plan's stack, compared with the facts of the machine. Pure.

>>> scene = survey(stack, plan, have, ...)        # what the plan will make and start, and what it gives up
>>> facts = await engine.facts(inquiry(scene))     # the one look at the machine, outside of this package
>>> findings = check(scene.knowing(facts))          # all that is wrong, in the order of the file
"""

from __future__ import annotations

from composer.reconcile.precheck.finding import Finding, diagnostics
from composer.reconcile.precheck.images import lacks_images
from composer.reconcile.precheck.inquiry import inquiry
from composer.reconcile.precheck.refusals import refusals, refused
from composer.reconcile.precheck.rules import check
from composer.reconcile.precheck.scene import Engaged, Scene, survey, with_oneoff

__all__ = ["Engaged", "Finding", "Scene", "check", "diagnostics", "inquiry", "lacks_images", "refusals", "refused", "survey", "with_oneoff"]
