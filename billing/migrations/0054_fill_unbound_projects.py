import time

from django.db import migrations, transaction

FUNCTION = """
CREATE OR REPLACE FUNCTION public.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
AS $$ BEGIN IF {when} THEN {statement}; END IF; RETURN NULL; END $$
"""
TRIGGER = """
CREATE OR REPLACE TRIGGER {name} AFTER {event} ON public.{table} FOR EACH ROW EXECUTE FUNCTION public.{name}()
"""
PROJECT, BINDING = "projects_project", "billing_billingaccountbinding"
LEAVES = "OLD.phase = 'Active' AND NEW.phase <> 'Active'"
# as billing/guards/unbound_project.py had them, so that nothing is left to install
TRIGGERS = {
    "unbound_project_created": (
        PROJECT,
        "INSERT",
        "NEW.phase = 'Active'",
        "INSERT INTO public.billing_unboundproject (project_id, created_at) VALUES (NEW.id, NEW.created_at)"
        " ON CONFLICT DO NOTHING",
    ),
    "unbound_project_archived": (
        PROJECT,
        "UPDATE",
        LEAVES,
        "DELETE FROM public.billing_unboundproject WHERE project_id = NEW.id",
    ),
    "unbound_project_bound": (
        BINDING,
        "INSERT",
        "NEW.phase = 'Active'",
        "DELETE FROM public.billing_unboundproject WHERE project_id = NEW.project_id",
    ),
    "unbound_project_left": (
        BINDING,
        "UPDATE",
        LEAVES,
        "INSERT INTO public.billing_unboundproject (project_id, created_at) SELECT p.id, p.created_at"
        " FROM public.projects_project p WHERE p.id = NEW.project_id AND p.phase = 'Active' ON CONFLICT DO NOTHING",
    ),
}
UNBOUND = (
    "p.phase = 'Active' AND NOT EXISTS (SELECT 1 FROM billing_billingaccountbinding b"
    " WHERE b.project_id = p.id AND b.phase = 'Active')"
)
LOCK = "SELECT id FROM projects_project WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
FILL = (
    "INSERT INTO billing_unboundproject (project_id, created_at) SELECT p.id, p.created_at FROM projects_project p"
    f" WHERE {UNBOUND}"
)
AT_ONCE = 1000
PATIENCE = 300.0  # seconds


def install(apps, schema_editor):
    """Make the triggers before the rows: whatever binds or ends a binding from then on keeps its row right."""
    if schema_editor.connection.vendor != "postgresql":  # nobody writes beside it, and triggers come last
        return
    for name, (table, event, when, statement) in TRIGGERS.items():
        schema_editor.execute(FUNCTION.format(name=name, when=when, statement=statement).strip(), params=None)
        schema_editor.execute(f"REVOKE ALL ON FUNCTION public.{name}() FROM PUBLIC", params=None)
        schema_editor.execute(TRIGGER.format(name=name, event=event, table=table).strip(), params=None)


def fill(apps, schema_editor):
    """Add the projects that were unbound before, and wait for nobody: those that are locked come in the next round."""
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute(f"{FILL} ON CONFLICT DO NOTHING")
            return
        cursor.execute(f"SELECT p.id FROM projects_project p WHERE {UNBOUND} ORDER BY p.id")
        left = [key for (key,) in cursor.fetchall()]
    until = time.monotonic() + PATIENCE
    while True:
        parts = [left[start : start + AT_ONCE] for start in range(0, len(left), AT_ONCE)]
        left = [key for part in parts for key in _fill(connection, part)]
        if not left:
            return
        if time.monotonic() > until:
            raise RuntimeError(f"{len(left)} projects are locked by others all the time; run migrate again")
        time.sleep(0.25)


def _fill(connection, part):
    """Add those of the projects that are unbound still, and return those that others have locked."""
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        cursor.execute(LOCK, [part])
        locked = {key for (key,) in cursor.fetchall()}
        # a statement of its own: it sees what whoever had the lock before has done
        cursor.execute(f"{FILL} AND p.id = ANY(%s) ON CONFLICT DO NOTHING", [sorted(locked)])
    return [key for key in part if key not in locked]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0053_unbound_projects'),
    ]

    operations = [
        migrations.RunPython(install, migrations.RunPython.noop),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
