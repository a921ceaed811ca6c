"""This app's duties: sync, resolve what is unknown, look for orphans."""
