# Every verb works from a clean clone and uses nothing but python3.11, make, sh, git and coreutils.
# Variables of the command line reach the programs through the environment: make run PORT=8000 DATA_DIR=/srv/worktool

PYTHON ?= python3.11
IN_VENV = .venv/bin/python
BOOTSTRAP = @$(PYTHON) -m worktool_ai.bootstrap
OURS = worktool_ai flows personas templates_lib alerts monitoring robots
JS_TOOLS = node_modules/@biomejs/cli-*/biome
# mypy's Django plugin reads the settings; it needs no server, only values of the right shape
SHAPES = ENVIRONMENT=test SECRET_KEY=lint ENCRYPTION_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
	DATABASE_URL=postgres://lint@127.0.0.1/lint REDIS_URL=redis://127.0.0.1/0
COMPILE = .venv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --python-version 3.11 $(LOCK_FLAGS)

.PHONY: run test lint format bench chaos accept verify-clean clean-data audit lock
.DEFAULT_GOAL := run

run: ## start everything: PORT, SIMULATOR_PORT, DATA_DIR
	$(BOOTSTRAP) base
	@exec $(IN_VENV) -m worktool_ai.supervisor run

test: ## the whole suite with branch coverage; TESTS narrows it
	$(BOOTSTRAP) dev
	@exec env COVERAGE_GATE=1 $(IN_VENV) -m pytest -q -n 2 --cov --cov-branch --cov-report=term-missing:skip-covered $(TESTS)

lint: ## ruff, mypy, import contracts, migrations, templates, JavaScript
	$(BOOTSTRAP) lint
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(SHAPES) .venv/bin/mypy .
	.venv/bin/lint-imports
	$(IN_VENV) manage.py makemigrations --check --dry-run
	.venv/bin/djlint --quiet --check --lint $(OURS)
	$(JS_TOOLS) check

format: ## what lint can mend by itself
	$(BOOTSTRAP) lint
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	.venv/bin/djlint --quiet --reformat $(OURS)
	$(JS_TOOLS) check --write

bench: ## what it carries and costs, beside a floor: ROW narrows it; BENCH_FLAGS=--scale=0.1 tries it out
	$(BOOTSTRAP) base
	@exec $(IN_VENV) -m tests.bench $(BENCH_FLAGS)

chaos: ## kills and faults under load, judged from outside: SEED, SEEDS, LINES, KILLS
	$(BOOTSTRAP) dev
	@exec $(IN_VENV) -m tests.chaos

accept: ## what is too long for the test suite; ROW runs one row
	$(BOOTSTRAP) dev
	@exec $(IN_VENV) -m tests.acceptance

verify-clean: ## make run in a fresh clone on a bare machine; VERIFY_FLAGS=--test also runs its tests
	@exec $(PYTHON) -m tests.acceptance.verify_clean $(VERIFY_FLAGS)

clean-data: ## stop what runs on DATA_DIR and remove all its data
	$(BOOTSTRAP) base
	@exec $(IN_VENV) -m worktool_ai.supervisor clean-data

audit: ## known vulnerabilities of the locked dependencies
	$(BOOTSTRAP) dev
	.venv/bin/pip-audit --strict --require-hashes --disable-pip -r requirements/base.txt

lock: ## compile requirements/*.in anew; LOCK_FLAGS=--upgrade takes newer versions
	$(BOOTSTRAP) base
	$(COMPILE) requirements/base.in -o requirements/base.txt
	$(COMPILE) -c requirements/base.txt requirements/dev.in -o requirements/dev.txt
	$(COMPILE) requirements/uv.in -o requirements/uv.txt
