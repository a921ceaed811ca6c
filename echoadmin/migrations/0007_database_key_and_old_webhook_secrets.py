from django.db import migrations, models
from django.db.models import F


def keep_the_key(apps, schema_editor):
    """Cursors and the spool's folder were told apart by the webhook's secret: they stay as they are."""
    apps.get_model("echoadmin", "Installation").objects.filter(database_key="").update(database_key=F("webhook_secret"))


class Migration(migrations.Migration):

    dependencies = [
        ('echoadmin', '0006_at_rest'),
    ]

    operations = [
        migrations.AddField(
            model_name='installation',
            name='database_key',
            field=models.CharField(db_default='', default='', max_length=64),
        ),
        migrations.AddField(
            model_name='installation',
            name='webhook_secret_since',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name='OldWebhookSecret',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sha256', models.CharField(max_length=64, unique=True)),
                ('made_at', models.DateTimeField()),
                ('retired_at', models.DateTimeField()),
                ('honoured_until', models.DateTimeField()),
                ('until_ended', models.BooleanField(default=True)),
                ('uses', models.BigIntegerField(default=0)),
                ('last_used_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.RunPython(keep_the_key, migrations.RunPython.noop),
    ]
