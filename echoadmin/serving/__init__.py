"""What `manage.py serve` does around the ASGI application: the port, the database, the first login, the companions."""
