from django.db import migrations, models

from echoadmin.log.search import postgresql, sqlite

# Without a row's number SQLite keeps these rows in one tree instead of two.
ROLL_ON_SQLITE = (
    'CREATE TABLE "log_roll" ("dim" varchar(12) NOT NULL, "val" varchar(200) NOT NULL, "res" smallint NOT NULL, '
    '"bucket" bigint NOT NULL, "n" bigint NOT NULL, PRIMARY KEY ("dim", "val", "res", "bucket")) WITHOUT ROWID'
)


class CreateRoll(migrations.CreateModel):
    """As it says, but for SQLite."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "sqlite":
            schema_editor.execute(ROLL_ON_SQLITE)
        else:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


def make_text_index(apps, schema_editor):
    engine = postgresql if schema_editor.connection.vendor == "postgresql" else sqlite
    for statement in engine.CREATE:
        schema_editor.execute(statement)


def drop_text_index(apps, schema_editor):
    engine = postgresql if schema_editor.connection.vendor == "postgresql" else sqlite
    for statement in engine.DROP:
        schema_editor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ("log", "0002_proof_and_keeping"),
    ]

    operations = [
        migrations.CreateModel(
            name="Mark",
            fields=[
                ("minute", models.BigIntegerField(primary_key=True, serialize=False)),
                ("min_id", models.BigIntegerField()),
                ("max_id", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Progress",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("last_id", models.BigIntegerField(default=0)),
                ("changes", models.BigIntegerField(default=0)),
            ],
            options={
                "verbose_name_plural": "progress",
            },
        ),
        CreateRoll(
            name="Roll",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "dim", "val", "res", "bucket", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("dim", models.CharField(max_length=12)),
                ("val", models.CharField(max_length=200)),
                ("res", models.SmallIntegerField()),
                ("bucket", models.BigIntegerField()),
                ("n", models.BigIntegerField()),
            ],
        ),
        migrations.RunPython(make_text_index, drop_text_index),
    ]
