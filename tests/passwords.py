"""A password for people of tests, and its hash, made with few rounds: the usual ones take longer than most tests."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher

PASSWORD = "a long enough password"
QUICK = PBKDF2PasswordHasher().encode(PASSWORD, "salt", iterations=1000)
