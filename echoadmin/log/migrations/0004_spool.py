from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("log", "0003_index"),
    ]

    operations = [
        migrations.CreateModel(
            name="Spool",
            fields=[
                ("name", models.CharField(max_length=160, primary_key=True, serialize=False)),
                ("done", models.BigIntegerField()),
            ],
            options={
                "verbose_name_plural": "spools",
            },
        ),
    ]
