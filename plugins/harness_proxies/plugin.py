"""What this plugin provides; nothing is imported until it is used."""

from harness import Provides, hookimpl

_INSTALL = "pip install 'nas-harness[torch]'"


@hookimpl
def nas_harness_strategies() -> list[Provides]:
    on_networks = ("Synflow", "JacobCov", "GradNorm", "Snip", "Naswot")
    return [
        Provides("harness_proxies.sizes:MostParameters"),
        Provides("harness_proxies.sizes:MostFlops"),
        *(Provides(f"harness_proxies.initial:{c}", requires=("torch",), install=_INSTALL) for c in on_networks),
    ]
