"""Everything that the environment decides, read once: user code may change os.environ afterwards."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

RUNTIME_MODULES = ("kubeless", "server", "function_runtime")


class SettingsError(Exception):
    """A setting without which there is nothing to run; code is the process's exit code."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Settings:
    port: int
    directory: str
    module: str
    handler: str
    function_name: str | None
    namespace: str | None
    runtime: str | None
    memory_limit: str | None
    timeout: float  # seconds
    body_limit: int  # bytes
    threads: int
    drain: float  # seconds
    collector: str | None
    publisher: str | None
    log_format: str | None
    log_requests: bool
    termination_log: str | None


def read_settings(env: Mapping[str, str]) -> Settings:
    """Exit codes and their messages as handlers' pipelines know them (contract/functions.md 6.3)."""
    if not env.get("MOD_NAME"):
        raise SettingsError(1, "MOD_NAME have to be provided")
    if env["MOD_NAME"] in RUNTIME_MODULES:
        raise SettingsError(2, f"MOD_NAME cannot be {env['MOD_NAME']}, which is a module of the runtime")
    if not env.get("FUNC_HANDLER"):
        raise SettingsError(3, "FUNC_HANDLER have to be provided")
    return Settings(
        port=int(_positive(env, "FUNC_PORT", 8080)),
        directory=env.get("FUNCTION_PATH") or env.get("KUBELESS_INSTALL_VOLUME") or "/kubeless",
        module=env["MOD_NAME"],
        handler=env["FUNC_HANDLER"],
        function_name=env.get("FUNC_NAME"),
        namespace=env.get("SERVICE_NAMESPACE"),
        runtime=env.get("FUNC_RUNTIME"),
        memory_limit=env.get("FUNC_MEMORY_LIMIT"),
        timeout=_positive(env, "FUNC_TIMEOUT", 180),
        body_limit=int(_positive(env, "FUNC_MEMFILE_MAX", 100 << 20)),
        threads=max(1, int(_positive(env, "CHERRYPY_NUMTHREADS", 50))),
        drain=_positive(env, "FUNC_DRAIN_SECONDS", 2),
        collector=env.get("TRACE_COLLECTOR_ENDPOINT"),
        publisher=env.get("PUBLISHER_PROXY_ADDRESS"),
        log_format=env.get("FUNC_LOG_FORMAT"),
        log_requests=bool(env.get("KYMA_INTERNAL_LOGGER_ENABLED") or env.get("KYMA_BOTTLE_QUIET_OPTION_DISABLED")),
        termination_log=env.get("TERMINATION_MESSAGE_PATH"),
    )


def _positive(env: Mapping[str, str], name: str, default: float) -> float:
    """A typo in an optional limit must not keep a Function from serving."""
    text = env.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1
    if 0 <= value < float("inf"):
        return value
    print(f'{name}: "{text}" is not a number of 0 or more, using {default}', file=sys.stderr)
    return default
