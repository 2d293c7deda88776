"""Django settings. Everything that differs between machines comes from the environment; nothing secret has a default.

The embedded default (no DATABASE_URL) is set up by ``manage.py`` and the supervisor before this module is read, so a
missing setting here means a deployment that forgot it: it fails at once and names the setting.
"""

from __future__ import annotations

import os
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from worktool_ai.lib import (
    lean_imports,  # noqa: F401  # the first import of libraries that it keeps lean
    logs,
)

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

env = environ.Env()


def required(name: str) -> str:
    """Return a setting that has no safe default, or refuse to start, naming it."""
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(
            f"{name} is not set. Set it in the environment (see docs/running.md), "
            "or start with `make run`, which brings up everything embedded."
        )
    return value


# -- environment -------------------------------------------------------------------------------------------------------
ENVIRONMENT = env.str("ENVIRONMENT", "production")
DEBUG = False
SECRET_KEY = required("SECRET_KEY")
ENCRYPTION_KEYS = [key for key in required("ENCRYPTION_KEYS").split(",") if key]
DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / ".data")))
PUBLIC_URL = env.str("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"] if ENVIRONMENT != "production" else [])
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
if ENVIRONMENT == "production" and not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS is not set: name the host names under which this site is reached.")

# -- stores ------------------------------------------------------------------------------------------------------------
DATABASE_URL = required("DATABASE_URL")
REDIS_URL = required("REDIS_URL")
#: Celery, Channels and the live event stream: may be lost at any time. Kept off the fsynced one where a second exists.
REDIS_BROKER_URL = env.str("REDIS_BROKER_URL", "") or REDIS_URL
#: Tests of several processes share one Redis: every key of ours starts with this.
REDIS_PREFIX = env.str("REDIS_PREFIX", "worktool")

DATABASES = {"default": env.db_url_config(DATABASE_URL)}
DATABASES["default"]["ENGINE"] = "django.db.backends.postgresql"
DATABASES["default"]["CONN_MAX_AGE"] = 0
DATABASES["default"]["OPTIONS"] = {
    "pool": {"min_size": 0, "max_size": env.int("DATABASE_POOL_SIZE", 8), "timeout": 60},
    "prepare_threshold": 1_000_000,  # only what asks for it is prepared: worktool_ai/lib/db.py
    "application_name": env.str("PROCESS_NAME", "worktool-ai"),
    "options": "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=120000 -c lock_timeout=30000",
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- applications ------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin.apps.SimpleAdminConfig",  # the pages are found by worktool_ai/urls.py
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "channels",
    "worktool_ai.lib",
    "worktool_ai.events",
    "worktool_ai.accounts",
    "templates_lib",
    "personas",
    "robots",
    "alerts",
    "flows",
    "monitoring",
]
AUTH_USER_MODEL = "accounts.User"
ROOT_URLCONF = "worktool_ai.urls"
ASGI_APPLICATION = "worktool_ai.asgi.application"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "worktool_ai.lib.api.RequestIdMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "worktool_ai.accounts.language.ChosenLanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "worktool_ai.accounts.language.PersonalLanguageMiddleware",
    "worktool_ai.accounts.password_change.PasswordChangeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
            ],
        },
    },
]

# -- language, time, static --------------------------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", "Asia/Shanghai")

STATIC_URL = "/static/"
#: Only for a deployment that lets another server hand the files out (collectstatic).
STATIC_ROOT = env.str("STATIC_ROOT", "") or None
STATICFILES_DIRS = [BASE_DIR / "static"]
#: No collectstatic step on a bare machine: files are served from where the apps keep them.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# -- who may do what ---------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["worktool_ai.accounts.backends.RoleBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
if ENVIRONMENT == "test":
    # what makes a stored password safe makes a test that signs in slow
    PASSWORD_HASHERS.insert(0, "django.contrib.auth.hashers.MD5PasswordHasher")
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "/"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "worktool_ai.lib.api.csrf_failure"

# -- API ---------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["worktool_ai.lib.api.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "worktool_ai.accounts.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["worktool_ai.accounts.permissions.DenyByDefault"],
    "DEFAULT_PAGINATION_CLASS": "worktool_ai.lib.api.CursorPagination",
    "EXCEPTION_HANDLER": "worktool_ai.lib.api.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "WorkTool AI",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "worktool_ai.lib.openapi.wrap_in_envelope",
    ],
    "ENUM_NAME_OVERRIDES": {
        "LineState": "monitoring.lines.LineState",
        "RunState": "flows.models.RunState",
        "AlertState": "alerts.models.AlertState",
        "CommandState": "robots.models.CommandState",
        "SwitchScope": "robots.models.SwitchScope",
        "BudgetScope": "personas.budgets.models.BudgetScope",
    },
}

# -- gateway -----------------------------------------------------------------------------------------------------------
WORKTOOL_BASE_URL = env.str("WORKTOOL_BASE_URL", "https://api.worktool.ymdyes.cn").rstrip("/")
CALLBACK_MAX_BYTES = env.int("CALLBACK_MAX_BYTES", 12 * 1024 * 1024)
WORKTOOL_REQUEST_LIMIT = env.int("WORKTOOL_REQUEST_LIMIT", 50)
WORKTOOL_REQUEST_WINDOW_S = env.float("WORKTOOL_REQUEST_WINDOW_S", 60.0)
#: Of the limit: kept free for alerts and for taking commands back.
WORKTOOL_REQUEST_RESERVE = env.int("WORKTOOL_REQUEST_RESERVE", 5)
#: Seconds for one call to the platform; past it the outcome is unknown.
WORKTOOL_TIMEOUT_S = env.float("WORKTOOL_TIMEOUT_S", 10.0)
#: Seconds that the public address of a file works which we send: the phone fetches it when its turn comes.
FILE_URL_S = env.int("FILE_URL_S", 24 * 60 * 60)
#: Partitions of the inbound stream. Raising it needs an empty stream: the robot and room decide the partition.
INBOUND_PARTITIONS = env.int("INBOUND_PARTITIONS", 8)
#: A robot that was not heard for so long, within its hours, has the platform's callback log read.
CALLBACK_SILENCE_MINUTES = env.int("CALLBACK_SILENCE_MINUTES", 30)
#: Waiting lines, due conversations and queued commands above which /readyz says degraded and an alert is raised.
INBOUND_BACKLOG_LIMIT = env.int("INBOUND_BACKLOG_LIMIT", 2000)
ENGINE_BACKLOG_LIMIT = env.int("ENGINE_BACKLOG_LIMIT", 500)
OUTBOX_BACKLOG_LIMIT = env.int("OUTBOX_BACKLOG_LIMIT", 150)

# -- first start: the login and the demo robot that `make run` generates for a data folder -----------------------------
ADMIN_USER = env.str("ADMIN_USER", "admin")
ADMIN_PASSWORD = env.str("ADMIN_PASSWORD", "")
DEMO_ROBOT_ID = env.str("DEMO_ROBOT_ID", "")
#: Guards the simulator's control API; the panel links to its chat page with it (embedded only).
SIMULATOR_TOKEN = env.str("SIMULATOR_TOKEN", "")
DEMO_CALLBACK_KEY = env.str("DEMO_CALLBACK_KEY", "")

# -- engine ------------------------------------------------------------------------------------------------------------
#: Seconds that a worker owns a conversation without renewing. Renewal is every third of it.
LEASE_S = env.float("LEASE_S", 9.0)
WORKER_SLOTS = env.int("WORKER_SLOTS", 1000)
#: So many interruptions of its walk a run survives; one more and it is paused until a person decides.
RUN_MAX_RECOVERIES = env.int("RUN_MAX_RECOVERIES", 5)
#: Folders with a deployment's own flow nodes, each file one plugin (see CONTRIBUTING.md).
EXTRA_NODE_FOLDERS = [Path(folder) for folder in env.list("EXTRA_NODE_FOLDERS", default=[])]

# -- models: when one that fails is left alone, and how its health is watched (docs/resilience.md) ---------------------
#: A breaker opens when of at least so many calls within the window this share has failed.
MODEL_BREAKER_WINDOW_S = env.float("MODEL_BREAKER_WINDOW_S", 60.0)
MODEL_BREAKER_MIN_CALLS = env.int("MODEL_BREAKER_MIN_CALLS", 10)
MODEL_BREAKER_FAILURE_RATE = env.float("MODEL_BREAKER_FAILURE_RATE", 0.4)
#: Seconds until a first probe; doubled with each that fails, up to the second.
MODEL_BREAKER_OPEN_S = env.float("MODEL_BREAKER_OPEN_S", 20.0)
MODEL_BREAKER_OPEN_MAX_S = env.float("MODEL_BREAKER_OPEN_MAX_S", 300.0)
#: A model above this median answers, but slowly: degraded.
MODEL_SLOW_MS = env.int("MODEL_SLOW_MS", 10_000)
#: An active model without a call for so long is asked one tiny question, at most so often a day (0: never).
MODEL_PROBE_IDLE_S = env.float("MODEL_PROBE_IDLE_S", 900.0)
MODEL_PROBES_PER_DAY = env.int("MODEL_PROBES_PER_DAY", 96)

# -- costs -------------------------------------------------------------------------------------------------------------
#: In which the prices of models and budgets are entered; shown with every figure. Nothing is converted.
COST_CURRENCY = env.str("COST_CURRENCY", "CNY")

# -- retention ---------------------------------------------------------------------------------------------------------
#: Days that lines, commands, runs, AI calls and alerts are kept. The audit log is kept for ever.
RETENTION_DAYS = env.int("RETENTION_DAYS", 180)

# -- Celery: transport and doorbell only; rows with due_at are the truth ----------------------------------------------
CELERY_BROKER_URL = REDIS_BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_DEFAULT_QUEUE = f"{REDIS_PREFIX}.work"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "max_connections": 2000,
    "global_keyprefix": f"{REDIS_PREFIX}:",
    "visibility_timeout": 600,
    # publishing a doorbell must never hang a web request or the consumer: the poll finds what it missed
    "socket_connect_timeout": 2,
    "socket_timeout": 10,
    "retry_on_timeout": False,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"

# -- Channels ----------------------------------------------------------------------------------------------------------
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            # redis-py closes sockets that are idle for 5 s by default, which a pub/sub socket always is
            "hosts": [{"address": REDIS_BROKER_URL, "socket_timeout": None}],
            "prefix": f"{REDIS_PREFIX}.channels",
        },
    },
}

# -- logs --------------------------------------------------------------------------------------------------------------
LOG_FORMAT = env.str("LOG_FORMAT", "json")
LOG_LEVEL = env.str("LOG_LEVEL", "INFO")
LOGGING_CONFIG = None
LOGGING = logs.configure(LOG_FORMAT, LOG_LEVEL)

# -- the admin's look: menus are filled by the apps (monitoring/admin_site.py) -----------------------------------------
UNFOLD = {
    "SITE_TITLE": "WorkTool AI",
    "SITE_HEADER": "WorkTool AI",
    "SITE_SYMBOL": "forum",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": f"{STATIC_URL}img/mark.svg"}],
    # the panel's accent (static/css/tokens.css) in the theme's shades
    "COLORS": {
        "primary": {
            "50": "#f0fdfa",
            "100": "#ccfbf1",
            "200": "#99f6e4",
            "300": "#5eead4",
            "400": "#2dd4bf",
            "500": "#14b8a6",
            "600": "#0d9488",
            "700": "#0f766e",
            "800": "#115e59",
            "900": "#134e4a",
            "950": "#042f2e",
        },
    },
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "LOGIN": {"form": "worktool_ai.accounts.forms.LoginForm"},
    "SIDEBAR": {"navigation": "monitoring.admin_site.navigation", "show_search": True},
    "DASHBOARD_CALLBACK": "monitoring.admin_site.dashboard",
}
