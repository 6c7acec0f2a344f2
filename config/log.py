"""How a daemon writes its log: one line an event on stderr, as JSON for machines or as text for people."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final, Literal

import structlog

# A telephone number standing by itself; unique ids, our ids and cursors have dots, dashes or letters beside them.
_NUMBER: Final = re.compile(r"(?<![\w.:-])\+?\d{8,15}(?![\w.-])")


def mask_numbers(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Whoever reads a log learns that somebody rang, never who."""
    return {name: _masked(value) for name, value in event.items()}


def _masked(value: object) -> object:
    match value:
        case str():
            return _NUMBER.sub(lambda found: f"{found[0][:4]}…{found[0][-2:]}", value)
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {str(_masked(name)): _masked(inner) for name, inner in value.items()}
        case Sequence() if not isinstance(value, bytes | bytearray):
            return [_masked(inner) for inner in value]
        case _:
            # A value of ours would be written out later, past this point, with the number in it.
            return _masked(str(value))


# Without the values of variables: they hold passwords and what callers said.
_TRACEBACKS: Final = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def log_to_stderr(program: str, log_format: Literal["json", "text"]) -> None:
    """Send everything that is logged, by us and by libraries, to stderr in one shape."""
    shared: list[structlog.typing.Processor] = [
        _naming(program),
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.typing.Processor] = (
        [_TRACEBACKS, mask_numbers, structlog.processors.JSONRenderer(default=str)]
        if log_format == "json"
        # The traceback becomes text before the masking, not in the renderer after it.
        else [
            structlog.processors.format_exc_info,
            mask_numbers,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Each opened and closed line is counted; a log line for each would bury what matters.
    logging.getLogger("websockets").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _naming(program: str) -> structlog.typing.Processor:
    """Which daemon speaks; also in threads, which do not see a context variable of the main one."""

    def name(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("program", program)
        return event

    return name
