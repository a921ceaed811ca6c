"""Answers kept for Idempotency-Keys are sealed from here on: they may hold a secret that is shown once."""

from django.db import migrations


def seal_answers(apps, schema_editor):
    from echoadmin.sealed import seal

    rows = apps.get_model("accounts", "IdempotentRequest").objects.exclude(answer="")
    for row in rows.only("pk", "answer").iterator():
        row.answer = seal(row.answer)
        row.save(update_fields=["answer"])


def unseal_answers(apps, schema_editor):
    from echoadmin.sealed import unseal

    rows = apps.get_model("accounts", "IdempotentRequest").objects.exclude(answer="")
    for row in rows.only("pk", "answer").iterator():
        row.answer = unseal(row.answer)
        row.save(update_fields=["answer"])


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_reviewed")]

    operations = [migrations.RunPython(seal_answers, unseal_answers)]
