.PHONY: setup
setup: .venv/.synced

.venv/bin/uv:
	python3 -m venv .venv
	.venv/bin/pip install --quiet uv

.venv/.synced: pyproject.toml uv.lock .venv/bin/uv
	.venv/bin/uv sync --quiet --locked --all-extras
	touch $@
