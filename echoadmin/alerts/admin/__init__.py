"""The admin pages of saved views, rules and alerts."""

from echoadmin.alerts.admin.alerts import AlertAdmin
from echoadmin.alerts.admin.rules import RuleAdmin
from echoadmin.alerts.admin.views import SavedViewAdmin

__all__ = ["AlertAdmin", "RuleAdmin", "SavedViewAdmin"]
