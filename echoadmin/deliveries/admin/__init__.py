"""The admin pages of webhooks out: subscriptions and deliveries."""

from echoadmin.deliveries.admin.deliveries import DeliveryAdmin
from echoadmin.deliveries.admin.subscriptions import SubscriptionAdmin

__all__ = ["DeliveryAdmin", "SubscriptionAdmin"]
