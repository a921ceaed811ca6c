"""The mark of those whose lines wait for a second person: on a key, and as a group for a user."""

from django.db import migrations, models


def make(apps, schema_editor):
    apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias).get_or_create(name="reviewed")


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_roles'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='reviewed',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.RunPython(make, migrations.RunPython.noop),
    ]
