"""What was asked for with the edits since, and what was noticed to differ. Personas that were edited before are taken as
upstream has them: which of the two meant it is not known any more."""

from django.db import migrations, models


def take_as_is(apps, schema_editor):
    for row in apps.get_model("personas", "Persona").objects.exclude(payload={}).iterator(500):
        changed = {key: row.payload[key] for key, value in row.requested.items() if row.payload.get(key, value) != value}
        if changed:
            row.asked = {**row.requested, **changed}
            row.save(update_fields=["asked"])


class Migration(migrations.Migration):
    dependencies = [("personas", "0001_initial")]

    operations = [
        migrations.AddField("persona", "asked", models.JSONField(blank=True, null=True)),
        migrations.AddField("persona", "drift", models.JSONField(blank=True, null=True)),
        migrations.RunPython(take_as_is, migrations.RunPython.noop),
    ]
