from django.db import migrations

from milo.migrating.operations import FillDerived

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
FILL = FillDerived(
    "billing_unboundproject",
    ("project_id", "created_at"),
    PROJECT,
    f"SELECT p.id AS project_id, p.created_at FROM {PROJECT} p WHERE p.phase = 'Active'"
    f" AND NOT EXISTS (SELECT 1 FROM {BINDING} b WHERE b.project_id = p.id AND b.phase = 'Active')",
)


def install(apps, schema_editor):
    """Make the triggers before the rows: whatever binds or ends a binding from then on keeps its row right."""
    if schema_editor.connection.vendor != "postgresql":  # nobody writes beside it, and triggers come last
        return
    for name, (table, event, when, statement) in TRIGGERS.items():
        schema_editor.execute(FUNCTION.format(name=name, when=when, statement=statement).strip(), params=None)
        schema_editor.execute(f"REVOKE ALL ON FUNCTION public.{name}() FROM PUBLIC", params=None)
        schema_editor.execute(TRIGGER.format(name=name, event=event, table=table).strip(), params=None)


def remove(apps, schema_editor):
    """Drop the triggers before their table goes: they would refuse every project."""
    if schema_editor.connection.vendor != "postgresql":  # where all have gone before the migrations
        return
    for name, (table, *_) in TRIGGERS.items():
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name} ON public.{table}", params=None)
        schema_editor.execute(f"DROP FUNCTION IF EXISTS public.{name}()", params=None)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('billing', '0053_unbound_projects'),
    ]

    operations = [
        migrations.RunPython(install, remove),
        FILL,
    ]
