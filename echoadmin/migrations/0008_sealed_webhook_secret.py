"""The webhook's secret is sealed: who reads a copy of the database can't send what passes for Tavus's."""

from django.db import migrations, models

import echoadmin.sealed


def seal(apps, schema_editor):
    rows = apps.get_model("echoadmin", "Installation").objects.using(schema_editor.connection.alias)
    for row in rows.all():
        rows.filter(pk=row.pk).update(webhook_secret=echoadmin.sealed.seal(row.webhook_secret))


def unseal(apps, schema_editor):
    rows = apps.get_model("echoadmin", "Installation").objects.using(schema_editor.connection.alias)
    for row in rows.all():
        rows.filter(pk=row.pk).update(webhook_secret=echoadmin.sealed.unseal(row.webhook_secret))


class Migration(migrations.Migration):
    atomic = True

    dependencies = [
        ("echoadmin", "0007_database_key_and_old_webhook_secrets"),
    ]

    operations = [
        migrations.AlterField("installation", "webhook_secret", models.TextField()),
        migrations.RunPython(seal, unseal),
        migrations.AlterField("installation", "webhook_secret", echoadmin.sealed.SealedField()),
    ]
