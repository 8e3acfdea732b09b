from django.apps import AppConfig


class KubeConfig(AppConfig):
    name = "milo.kube"
    label = "kube"
    verbose_name = "Change log"

    def ready(self) -> None:
        from milo.kube import guards

        guards.declare_guards()
