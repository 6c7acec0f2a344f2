"""Writes Asterisk's configuration from the settings and becomes Asterisk, so that Docker's signals reach it."""

import os
import sys
from pathlib import Path

from config.debian import NoAsterisk
from config.launch import exchange
from config.pbx import PbxError, cache_folder, find_or_fetch, render
from config.settings import SettingsError, load

TO_DOCKER = "\n; What `docker compose logs asterisk` shows.\nconsole => notice,warning,error\n"


def main() -> None:
    try:
        settings = load()
        ours = exchange(settings)
        found = find_or_fetch(cache_folder(), lambda words: print(words, flush=True))
        conf = render(ours, found)
    except (SettingsError, PbxError, NoAsterisk) as trouble:
        sys.exit(f"asterisk: {trouble}")
    with Path(conf.parent, "logger.conf").open("a", encoding="utf-8") as logger:
        logger.write(TO_DOCKER)
    environment = {"PATH": os.environ["PATH"], "HOME": str(ours.folder), "LC_ALL": "C.UTF-8"}
    os.execve(found.command[0], [*found.command, "-C", str(conf), "-f", "-n"], environment)


if __name__ == "__main__":
    main()
