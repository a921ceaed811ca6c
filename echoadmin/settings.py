"""One settings file for every deployment: what differs comes from the environment (the README's table lists it all)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.utils import timezone

from echoadmin import clock, env
from echoadmin.admin_site import UNFOLD  # noqa: F401
from echoadmin.log_lines import keep_secret, logging_settings

BASE_DIR = Path(__file__).resolve().parent.parent

MODE = env.choice("ECHOADMIN_MODE", ("sandbox", "live"), "sandbox")
SANDBOX = MODE == "sandbox"
DATA = env.folder("ECHOADMIN_DATA", BASE_DIR / "var")
DEBUG = False

# --- where the console answers ---------------------------------------------------------------------------------------
HOST = env.text("HOST", "127.0.0.1")
PORT = env.port("PORT", 8000)
PUBLIC_URL = env.url("PUBLIC_URL", f"http://127.0.0.1:{PORT}" if SANDBOX else "")
SECRET_KEY_GIVEN = bool(env.secret("ECHOADMIN_SECRET_KEY"))
SECRET_KEY = env.secret("ECHOADMIN_SECRET_KEY") or env.secret_file(DATA / "secret_key", env.new_secret)
ALLOWED_HOSTS = env.words("ECHOADMIN_ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]"))
if PUBLIC_URL and urlsplit(PUBLIC_URL).hostname not in ALLOWED_HOSTS:
    ALLOWED_HOSTS.append(str(urlsplit(PUBLIC_URL).hostname))
TRUSTED_PROXIES = env.words("ECHOADMIN_TRUSTED_PROXIES")
HTTPS = PUBLIC_URL.startswith("https://")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_ENGINE = "echoadmin.accounts.sessions"
SESSION_COOKIE_NAME = f"echoadmin_{MODE}_{PORT}"  # two consoles on one host don't sign each other out
CSRF_FAILURE_VIEW = "echoadmin.error_pages.csrf_failed"
CSRF_COOKIE_NAME = f"echoadmin_csrf_{MODE}_{PORT}"
SECURE_SSL_REDIRECT = False  # the proxy in front redirects; health probes come in plain HTTP
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = False
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
# Other sites' pages may call the API with a key: no cookie goes with it, so they act for nobody who is signed in here.
CORS_ALLOWED_ORIGINS = env.origins("ECHOADMIN_CORS_ORIGINS")
CORS_URLS_REGEX = r"^/(api/|send_audio_message$)"
CORS_ALLOW_HEADERS = (
    *("accept", "authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "last-event-id"),
    "x-request-id",
)
CORS_EXPOSE_HEADERS = ("ETag", "Retry-After", "X-Request-Id", "Idempotent-Replayed", "WWW-Authenticate")
TOTP_ROLES = env.words_of("ECHOADMIN_TOTP_ROLES", ("auditor", "operator", "manager", "admin"))  # who must have one
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for sub-domains is for the domain's owner to decide
    "security.W008",  # see SECURE_SSL_REDIRECT
    "security.W021",  # HSTS preload, likewise
]

# --- the vendors: the only difference between sandbox and live is what stands here -----------------------------------
TWIN_PORT = env.port("TWIN_PORT", 8790)
TWIN_DAILY_PORT = env.port("TWIN_DAILY_PORT", 8791)
TWIN_SPEED = env.number("TWIN_SPEED", 1, 0.1, 1000)
TAVUS_API_URL = env.url("TAVUS_API_URL", f"http://127.0.0.1:{TWIN_PORT}" if SANDBOX else "https://tavusapi.com")
TAVUS_API_KEY = env.secret("TAVUS_API_KEY") or ("sandbox" if SANDBOX else "")
TAVUS_VOCABULARY = env.choice("TAVUS_VOCABULARY", ("persona", "pal"), "persona")
DAILY_PROXY_URL = env.url("DAILY_PROXY_URL", f"https://localhost:{TWIN_DAILY_PORT}" if SANDBOX else "")
DAILY_CA_FILE = env.text("DAILY_CA_FILE", str(DATA / "twin" / "ca.pem") if SANDBOX else "")
DAILY_SDK_TRACE = env.flag("DAILY_SDK_TRACE")  # see conversations.rooms.sdk_trace
DAILY_DOMAINS = env.words("DAILY_DOMAINS", ("daily.co",))
# What the stage of a conversation's page is drawn with, and what that page may frame: nothing of the twin's rooms.
STAGE_TEMPLATE = "sandbox/stage.html" if SANDBOX else "conversations/parts/live/frame.html"
FRAME_SOURCES = [] if SANDBOX else [f"https://{at}{domain}" for domain in DAILY_DOMAINS for at in ("", "*.")]
# What `serve` runs beside the console: the twin, unless the sandbox's upstream lies elsewhere.
COMPANIONS = ["echoadmin.sandbox.twin_process.TwinProcess"] if SANDBOX and not env.text("TAVUS_API_URL") else []

# --- money and limits ------------------------------------------------------------------------------------------------
PRICE_PER_MINUTE = env.optional_number("PRICE_PER_MINUTE")
CURRENCY = env.text("CURRENCY", "USD")
MAX_CALL_DURATION = env.integer("MAX_CALL_DURATION", 3600, 60, 86_400)  # seconds
PARTICIPANT_LEFT_TIMEOUT = env.integer("PARTICIPANT_LEFT_TIMEOUT", 120, 0, 86_400)  # seconds
CONVERSATION_SLOTS = int(env.optional_number("CONVERSATION_SLOTS") or 0) or None
SLOT_WAIT_HOURS = env.number("SLOT_WAIT_HOURS", 24, 0.01, 720)  # that a create waits for a slot, at most
ORPHANS = {
    "overdue": env.policy("ORPHAN_OVERDUE", "end:2"),
    "stranger": env.policy("ORPHAN_STRANGER", "warn"),
    "nobody": env.policy("ORPHAN_NOBODY", "warn"),
}
# A file that says by how many seconds all clocks here are ahead, the twin's too: for tests that live through a month.
TEST_CLOCK = env.text("ECHOADMIN_TEST_CLOCK")
if TEST_CLOCK:
    if not SANDBOX:
        raise env.BadSetting(f"{clock.SETTING} is for tests against the twin; unset it")
    timezone.now = clock.now

# --- echoes (seconds and bytes) --------------------------------------------------------------------------------------
ECHO_LEAD = env.number("ECHO_LEAD", 0.2, 0, 2)
ECHO_CHUNK_BYTES = env.integer("ECHO_CHUNK_BYTES", 2400, 320, 2800)
ECHO_MAX_SECONDS = env.integer("ECHO_MAX_SECONDS", 600, 1, 3600)
ECHO_MAX_CHARACTERS = 20_000
ECHO_MAX_QUEUED = env.integer("ECHO_MAX_QUEUED", 200, 1, 10_000)
ECHO_REPLICA_DEADLINE = env.number("ECHO_REPLICA_DEADLINE", 60, 0.1, 600)
ECHO_COMPLETION_DEADLINE = env.number("ECHO_COMPLETION_DEADLINE", 5, 0.1, 60)
ECHO_START_DEADLINE = env.number("ECHO_START_DEADLINE", 10, 0.1, 120)
ECHO_STOP_FACTOR = env.number("ECHO_STOP_FACTOR", 1.5, 0, 10)
ECHO_STOP_EXTRA = env.number("ECHO_STOP_EXTRA", 10, 0.1, 120)
ECHO_STALL_DEADLINE = env.number("ECHO_STALL_DEADLINE", 2, 0.1, 60)
ECHO_TEXT_FLUSH = env.number("ECHO_TEXT_FLUSH", 2, 0.05, 60)
ECHO_BUFFER = env.number("ECHO_BUFFER", 30, 0.5, 3600)
INTERRUPT_DEADLINE = env.number("INTERRUPT_DEADLINE", 2, 0.1, 30)

# --- the log: what signs its checkpoints, and how long entries are kept ----------------------------------------------
SIGNING_KEY_GIVEN = bool(env.secret("ECHOADMIN_SIGNING_KEY"))
SIGNING_KEY = env.secret("ECHOADMIN_SIGNING_KEY") or env.secret_file(DATA / "signing_key", env.new_signing_key)
OLD_SIGNING_KEYS = env.words("ECHOADMIN_OLD_SIGNING_KEYS")  # public ones, base64: what they signed is still trusted
LOG_CHECKPOINT_ENTRIES = env.integer("LOG_CHECKPOINT_ENTRIES", 10_000, 1, 10_000_000)  # or an hour, what comes first
LOG_SPOOL_MB = env.number("LOG_SPOOL_MB", 512, 1, 1_000_000)  # of entries that wait for the database, of each worker
LOG_KEPT_APART = (  # families and kinds of entries
    *("presence", "speaking", "utterance", "echo", "tool", "context"),
    *("room", "app_message", "upstream", "webhook", "operator"),
)
# Days by family or kind, "" for the rest; None: not said, 0: for good.
LOG_KEEP_DAYS = {name: env.optional_number(f"LOG_KEEP_DAYS_{name.upper()}") for name in LOG_KEPT_APART}
LOG_KEEP_DAYS[""] = env.optional_number("LOG_KEEP_DAYS")

BACKUP_PASSPHRASE = env.secret("ECHOADMIN_BACKUP_PASSPHRASE")  # seals the keys into a backup; "": they stay outside

STREAM_STALL = env.number("STREAM_STALL", 60, 0.1, 3600)  # seconds that a reader of an export may take nothing
SSE_STREAMS = env.integer("SSE_STREAMS", 100, 1, 10_000)  # of one console at a time
DELIVER_TO_PRIVATE_ADDRESSES = env.flag("DELIVER_TO_PRIVATE_ADDRESSES")  # whether webhooks out may stay in this network
DELIVERY_DEAD_DAYS = env.number("DELIVERY_DEAD_DAYS", 3, 0, 365)  # an address that took nothing for so long is dead
DELIVERY_DAYS = env.number("DELIVERY_DAYS", 30, 0.01, 3650)  # for how long deliveries that have ended are kept
WEBHOOK_DAYS = env.number("WEBHOOK_DAYS", 30, 0.01, 3650)  # for how long webhooks in are kept beside their entries
WEBHOOK_SECRET_OVERLAP = env.number("WEBHOOK_SECRET_OVERLAP", 24, 0, 8760)  # hours that a replaced secret counts
RUN_FILE_DAYS = env.number("RUN_FILE_DAYS", 7, 0.01, 3650)  # for how long the files of runs are kept

# --- the API: requests of one key, or of one signed-in user, in a window of so many seconds; 0: no limit --------------
RATE_LIMIT = env.integer("RATE_LIMIT", 6000, 0, 10_000_000)
RATE_WINDOW = env.number("RATE_WINDOW", 60, 1, 86_400)
WRONG_KEY_LIMIT = env.integer("WRONG_KEY_LIMIT", 60, 0, 10_000_000)  # keys that open nothing, of one address

# --- workers ---------------------------------------------------------------------------------------------------------
ROOMS = env.choice("ECHOADMIN_ROOMS", ("inline", "worker"), "inline")
WORKER = env.text("ECHOADMIN_WORKER")  # "" → made from the host's name
WORKER_CAPACITY = env.integer("ECHOADMIN_CAPACITY", 100, 1, 10_000)  # rooms
WORKER_PORT = env.integer("ECHOADMIN_WORKER_PORT", 0, 0, 65_535)  # of a `runrooms` process's probes; 0: none
WORKER_LEASE = env.number("ECHOADMIN_LEASE", 30, 1, 600)  # seconds; renewed three times in it
LOOK_EVERY = env.number("ECHOADMIN_LOOK_EVERY", 2, 0.05, 60)  # seconds between looks when no bell rings

# --- Django ----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "echoadmin.accounts",  # before auth, whose commands it has in a form that leaves an entry
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "rest_framework_api_key",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "echoadmin.apps.EchoadminConfig",
    "echoadmin.log",
    "echoadmin.alerts",
    "echoadmin.deliveries",
    "personas",
    "conversations",
]
ADMIN_PAGES = [
    "echoadmin.accounts.urls",
    "conversations.home.urls",
    "echoadmin.palette.pages",
]  # modules of URLs that an app adds under /admin/
if SANDBOX:
    INSTALLED_APPS.append("echoadmin.sandbox")
    ADMIN_PAGES.append("echoadmin.sandbox.urls")

MIDDLEWARE = [
    "echoadmin.request_ids.request_ids",
    "echoadmin.health.probes",
    "echoadmin.access_lines.access_lines",
    "django.middleware.security.SecurityMiddleware",
    "echoadmin.security_headers.security_headers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
if TOTP_ROLES:
    after = MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware") + 1
    MIDDLEWARE.insert(after, "echoadmin.accounts.signing_in.second_factor_required")
if CORS_ALLOWED_ORIGINS:
    INSTALLED_APPS.append("corsheaders")
    MIDDLEWARE.insert(
        MIDDLEWARE.index("django.middleware.security.SecurityMiddleware"), "corsheaders.middleware.CorsMiddleware"
    )
ROOT_URLCONF = "echoadmin.urls"
ASGI_APPLICATION = "echoadmin.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "echoadmin" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
if SANDBOX:
    TEMPLATES[0]["OPTIONS"]["context_processors"].append("echoadmin.sandbox.context.sandbox")  # type: ignore[index]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASE_URL = env.secret("DATABASE_URL")
DATABASES: dict[str, Any]
if DATABASE_URL:
    DATABASES = {"default": dict(dj_database_url.parse(DATABASE_URL))}
    given = DATABASES["default"].get("OPTIONS", {})
    # A process that stands still in a transaction (SIGSTOP, a paused machine, a dead host) holds locks that others wait
    # for: PostgreSQL ends its session when it has been silent for as long as it takes to count as dead.
    stands_still = f"-c idle_in_transaction_session_timeout={max(5, WORKER_LEASE):g}s"
    DATABASES["default"]["OPTIONS"] = {
        **given,
        "options": f"{given.get('options', '')} {stands_still}".strip(),
        "pool": {
            "min_size": 2,
            "max_size": env.integer("DATABASE_POOL", 20, 4, 500),
            "timeout": 10,
        },
        "connect_timeout": 5,
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "echoadmin.sqlite3",
            "NAME": DATA / f"{MODE}.sqlite3",
            "CONN_MAX_AGE": None,  # a thread keeps its connection: opening one takes longer than most queries
            "OPTIONS": {
                # IMMEDIATE: a transaction that will write waits its turn at the start instead of failing in the middle.
                "transaction_mode": "IMMEDIATE",
                "timeout": 5,
                # NORMAL: a commit survives kill -9 of the process, not a power cut of the machine.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32768; "
                # 256 MB, where no console runs: a console's checkpoints are made by a thread, at 64 MB.
                "PRAGMA wal_autocheckpoint=64000;",
            },
            "TEST": {"NAME": env.text("TEST_DATABASE_NAME") or None},
        }
    }

REDIS_URL = env.secret("REDIS_URL")
CHANNEL_LAYERS: dict[str, Any]
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            # redis-py gives up on a read after 5 s, which is just how long the layer waits for a message.
            "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": 30}], "capacity": 1000},
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 1000}}}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # static files come from where the apps have them: there is no collectstatic step
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024 * 1024  # bytes; ten minutes of base64 PCM at 24 kHz fit
LARGEST_PAGE_UPLOAD = 256_000_000  # bytes; ten minutes of 48 kHz stereo in 32 bits
FILE_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024  # bytes; a body over that goes to disk while it comes

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "echoadmin.accounts.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["echoadmin.accounts.permissions.Auditor"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "echoadmin.api.openapi.Operations",
    "EXCEPTION_HANDLER": "echoadmin.api.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "echoadmin",
    "DESCRIPTION": "Make Tavus video replicas say exactly what you send, and read the complete record of it.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    # No validatorUrl: anywhere but on localhost Swagger would show this document to a validator on another host.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "docExpansion": "none", "validatorUrl": None},
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATION_PARAMETERS": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "echoadmin.api.openapi.completing.complete",
    ],
}

OTEL_ENDPOINT = env.url("OTEL_EXPORTER_OTLP_ENDPOINT")  # see echoadmin.tracing
LOG_FORMAT = env.choice("ECHOADMIN_LOG_FORMAT", ("plain", "json"), "plain")
LOGGING = logging_settings(LOG_FORMAT, env.text("LOG_LEVEL"))
keep_secret(SECRET_KEY, SIGNING_KEY, DATABASE_URL, REDIS_URL if "@" in REDIS_URL else "", BACKUP_PASSPHRASE)
keep_secret(DATABASES["default"].get("PASSWORD", ""), TAVUS_API_KEY if not SANDBOX else "")
