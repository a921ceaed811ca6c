# Checkpoints that were put elsewhere.
python manage.py checkpoint_log --export kept-elsewhere.ndjson
