"""Pages that are rendered in tests: what the test client keeps of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from django.template import Context, Template
from django.test.signals import template_rendered
from django.utils.safestring import SafeString


@contextmanager
def kept_whole() -> Iterator[None]:
    """Tell the test client the context of a page, and not those of the hundreds of templates that it includes.

    It copies each, which takes a fifth of the time of a page.
    """

    def render(self: Template, context: Context) -> SafeString:
        if context.template is self:
            template_rendered.send(sender=self, template=self, context=context)
        return self.nodelist.render(context)

    with mock.patch.object(Template, "_render", render):
        yield
