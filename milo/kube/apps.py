from django.apps import AppConfig


class KubeConfig(AppConfig):
    name = "milo.kube"
    label = "kube"
    verbose_name = "Change log"

    def ready(self) -> None:
        from milo.kube import changes, guards, managers  # noqa: F401  they register what each write does besides

        guards.declare_guards()
