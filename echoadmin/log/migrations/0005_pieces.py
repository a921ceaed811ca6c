from django.db import migrations

from echoadmin.log.search import pieces


def set_up(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        for statement in pieces.SETTINGS:
            schema_editor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ("log", "0004_spool"),
    ]

    operations = [
        migrations.RunPython(set_up, migrations.RunPython.noop),
    ]
