"""The pages of access: users, roles and API keys."""

from echoadmin.accounts.admin import keys, people

__all__ = ["keys", "people"]
