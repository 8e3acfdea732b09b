"""Celery: the broker, and the schedule of beat."""

from celery.schedules import crontab

from milo.settings.environment import DATA_DIR, environment

CELERY_BROKER_URL = environment.stores.broker_url
if CELERY_BROKER_URL == "filesystem://":
    CELERY_BROKER_TRANSPORT = "milo.broker.transport:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "folder": str(DATA_DIR / "broker"),
        "control_folder": str(DATA_DIR / "broker-control"),
    }
# a message that kills its worker must not take prefetched ones with it
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULER = "milo.beat:Scheduler"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# wait for an unavailable broker; by default Celery gives up after 100 attempts
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BEAT_SCHEDULE = {
    # a task that waited until its next run is redundant
    "validate-waiting-accounts": {
        "task": "billing.tasks.validate_waiting_accounts",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "deliver-notices": {"task": "billing.tasks.deliver_notices", "schedule": 5.0, "options": {"expires": 5}},
    "announce-standing": {"task": "billing.tasks.announce_standing", "schedule": 5.0, "options": {"expires": 5}},
    "expire-requests": {"task": "billing.tasks.expire_requests", "schedule": 60.0, "options": {"expires": 60}},
    "assess-accounts": {"task": "billing.tasks.assess_accounts", "schedule": 3600.0, "options": {"expires": 3600}},
    "archive-accounts": {"task": "billing.tasks.archive_accounts", "schedule": crontab(hour="2", minute="0")},
    "purge-accounts": {"task": "billing.tasks.purge_accounts", "schedule": crontab(hour="3", minute="0")},
    "announce-retention": {"task": "billing.tasks.announce_retention", "schedule": crontab(hour="4", minute="0")},
    "make-usage-partitions": {"task": "billing.tasks.make_usage_partitions", "schedule": 86400.0},
    "inspect-ledger": {"task": "billing.tasks.inspect_ledger", "schedule": 60.0, "options": {"expires": 60}},
    "seal-ledger": {"task": "milo.ledger.tasks.seal_ledger", "schedule": 60.0, "options": {"expires": 60}},
    "renew-manifests": {"task": "milo.kube.tasks.renew_manifests", "schedule": 30.0, "options": {"expires": 30}},
    "forget-responses": {"task": "milo.kube.tasks.forget_responses", "schedule": 1800.0, "options": {"expires": 1800}},
    "compact-change-log": {"task": "milo.kube.tasks.compact_change_log", "schedule": 3600.0},
}
