"""Django's SQLite, where those who write in one process take turns."""
