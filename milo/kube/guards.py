"""Database guards of the change log and its counter."""

from milo import append_only as guard
from milo.kube.models import Change, RecordedResponse

CHANGE, COUNTER = "kube_change", "kube_counter"
_COMPACTED = (
    f"EXISTS (SELECT 1 FROM {CHANGE} newer CROSS JOIN {COUNTER} c WHERE newer.uid = OLD.uid"
    " AND newer.resource_version > OLD.resource_version AND newer.resource_version <= c.compacted)"
)
_SEALED = (
    f"COALESCE((SELECT CAST(s.tables -> '{CHANGE}' ->> 'through' AS BIGINT) FROM ledger_seal s"
    " ORDER BY s.number DESC LIMIT 1), 0)"
)


def declare_guards() -> None:
    guard.deletable(CHANGE, RecordedResponse._meta.db_table)
    guard.declare(
        "kube",
        *guard.fixed_as_said(Change, revoked=True),
        *guard.delete_only(
            "change_deleted_once_compacted",
            CHANGE,
            _COMPACTED,
            "only revisions that were superseded below the watermark of compaction are deleted",
        ),
        guard.no_replace("change_never_replaced", CHANGE, ["resource_version"]),
        # a counter that went backwards would hand out a resourceVersion twice
        guard.refuse(
            "counter_never_backwards",
            COUNTER,
            "UPDATE",
            "NEW.value < OLD.value OR NEW.compacted < OLD.compacted OR NEW.compacted > NEW.value",
            "the counter and the watermark only go forward",
        ),
        # revisions below the watermark may be deleted; afterwards only a seal proves what they said
        guard.refuse(
            "counter_compacted_once_sealed",
            COUNTER,
            "UPDATE",
            f"NEW.compacted > OLD.compacted AND NEW.compacted > {_SEALED}",
            "compacted lies beyond the newest seal",
        ),
        guard.no_delete("counter_never_deleted", COUNTER),
    )
