"""Celery: the broker, and the schedule of beat."""

from celery.schedules import crontab

from milo.settings.environment import DATA_DIR, environment


def _at(hour: int) -> crontab:
    """Return the schedule of a task that runs daily at an hour of UTC."""
    return crontab(hour=str(hour), minute="0")


CELERY_BROKER_URL = environment.stores.broker_url
if CELERY_BROKER_URL == "filesystem://":
    CELERY_BROKER_TRANSPORT = "milo.broker.transport:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "folder": str(DATA_DIR / "broker"),
        "control_folder": str(DATA_DIR / "broker-control"),
    }
# a message that kills its worker must not take prefetched ones with it
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULER = "milo.schedules.beat:Scheduler"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# wait for an unavailable broker; by default Celery gives up after 100 attempts
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# beat sends a run that did not succeed again after six hours
_DAILY = {"expires": 6 * 3600}
CELERY_BEAT_SCHEDULE = {
    # a task that waited until its next run is redundant
    "validate-waiting-accounts": {
        "task": "billing.tasks.validate_waiting_accounts",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "bind-to-default-accounts": {
        "task": "billing.tasks.bind_to_default_accounts",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "canary": {"task": "milo.schedules.tasks.answer_canary", "schedule": 30.0, "options": {"expires": 30}},
    "deliver-notices": {"task": "billing.tasks.deliver_notices", "schedule": 5.0, "options": {"expires": 5}},
    "announce-standing": {"task": "billing.tasks.announce_standing", "schedule": 5.0, "options": {"expires": 5}},
    # seconds, because who moves projects now waits for it
    "move-due-projects": {"task": "billing.tasks.move_due_projects", "schedule": 5.0, "options": {"expires": 5}},
    "foresee-payer-changes": {
        "task": "billing.tasks.foresee_payer_changes",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "remind-of-payer-changes": {
        "task": "billing.tasks.remind_of_payer_changes",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "activate-affiliations": {
        "task": "billing.tasks.activate_affiliations",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "foresee-affiliations": {
        "task": "billing.tasks.foresee_affiliations",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "expire-requests": {"task": "billing.tasks.expire_requests", "schedule": 60.0, "options": {"expires": 60}},
    "assess-accounts": {"task": "billing.tasks.assess_accounts", "schedule": 3600.0, "options": {"expires": 3600}},
    "inspect-whole-ledger": {"task": "billing.tasks.inspect_whole_ledger", "schedule": _at(0), "options": _DAILY},
    "verify-ledger": {"task": "milo.ledger.tasks.verify_ledger", "schedule": _at(1), "options": _DAILY},
    "archive-accounts": {"task": "billing.tasks.archive_accounts", "schedule": _at(2), "options": _DAILY},
    "purge-accounts": {"task": "billing.tasks.purge_accounts", "schedule": _at(3), "options": _DAILY},
    "announce-retention": {"task": "billing.tasks.announce_retention", "schedule": _at(4), "options": _DAILY},
    "clear-sessions": {"task": "milo.identity.tasks.clear_sessions", "schedule": _at(5), "options": _DAILY},
    "verify-archive": {"task": "billing.tasks.verify_archive", "schedule": _at(5), "options": _DAILY},
    "make-usage-partitions": {
        "task": "billing.tasks.make_usage_partitions",
        "schedule": 86400.0,
        "options": _DAILY,
    },
    "inspect-ledger": {"task": "billing.tasks.inspect_ledger", "schedule": 60.0, "options": {"expires": 60}},
    "seal-ledger": {"task": "milo.ledger.tasks.seal_ledger", "schedule": 60.0, "options": {"expires": 60}},
    "renew-manifests": {"task": "milo.kube.tasks.renew_manifests", "schedule": 30.0, "options": {"expires": 30}},
    "forget-responses": {"task": "milo.kube.tasks.forget_responses", "schedule": 1800.0, "options": {"expires": 1800}},
    "compact-change-log": {"task": "milo.kube.tasks.compact_change_log", "schedule": 3600.0},
}
