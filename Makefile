# Everything runs in .venv, which is created from requirements.lock. Python 3.11.4 to 3.13 and make are the only prerequisites.
.DEFAULT_GOAL := help
.PHONY: help demo test acceptance check environment bench site lock format clean

# No progress bars and no colours.
UV := .venv/bin/uv --quiet
STAMP := .venv/.complete
JOBS ?= 2
PRODUCTS := packages/pipedef packages/localmaker .
PYTEST := $(CURDIR)/.venv/bin/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
# What commands, the SDK, the local endpoint, step scripts, notebook kernels and tests import. Their bytecode is compiled
# with the environment: otherwise each process would compile them again where Python writes no bytecode
# (PYTHONDONTWRITEBYTECODE, read-only file systems).
COMPILED := IPython PIL _pytest annotated_types attr awswrangler blinker boto3 botocore certifi charset_normalizer click \
	colorama cryptography dateutil docker dotenv execnet flask flask_cors fontTools formulaic fpdf graphql hypothesis idna \
	invoke ipykernel itsdangerous jinja2 jmespath joblib jsonschema jupyter_client jupyter_core markupsafe matplotlib moto \
	nacl narwhals nbclient nbconvert nbformat numpy omegaconf optuna packaging pandas paramiko patsy platformdirs pluggy psutil \
	pyarrow pydantic pydantic_core pydantic_settings pytest pytz requests responses rich s3transfer sagemaker scipy six.py \
	sklearn sqlglot statsmodels tenacity tornado traitlets typer typing_extensions.py typing_inspection urllib3 werkzeug \
	xdist xmltodict.py yaml zmq

help:  ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: $(STAMP)  ## Run everything once on this machine: endpoint, deploy, upload, pipeline, predictions
	@.venv/bin/python -m pipeline demo

test: check  ## Run every check and every test
	@for product in $(PRODUCTS); do (cd $$product && $(PYTEST) --durations 25) || exit 1; done

# Budgets of the randomised tests, as in `make acceptance KILLS=20 EXAMPLES=500`; `pytest --help` in a package describes each.
EXAMPLES ?= 2000
SEEDS ?= 20
SPLITS ?= 50
KILLS ?= 50
BURST ?= 100
FAULTS ?= 48
HABITS ?= 50
ROUNDS ?= 20
FUZZ ?= 100000
LIMITS ?= 200

acceptance: $(STAMP)  ## Run the randomised tests in full (examples, seeds, splits, kills, faults, habits, rounds, fuzz, limits, burst), and AWS's toolkits (under an hour)
	@for product in $(PRODUCTS); do (cd $$product && $(PYTEST) -m "randomised or aws_toolkits" --timeout 3600 --durations 10 \
		--examples $(EXAMPLES) --seeds $(SEEDS) --splits $(SPLITS) --kills $(KILLS) --faults $(FAULTS) --habits $(HABITS) --rounds $(ROUNDS) --burst $(BURST) --fuzz $(FUZZ) --limits $(LIMITS)) || exit 1; done

check: $(STAMP)  ## Lint, formatting, types, import contracts, circles of imports, workflows, offline checks of every environment's pipelines
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@PYTHONPATH=steps .venv/bin/lint-imports --no-cache --no-logo
	@PYTHONPATH=.:steps .venv/bin/python tests/import_circles.py
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@.venv/bin/zizmor --offline --no-progress --quiet .github/workflows
	@.venv/bin/python -m pipeline validate

environment: $(STAMP)  ## Create .venv and the environment that local jobs run in

# BENCHMARKS="preprocess training" measures some of them.
bench: $(STAMP)  ## Measure steps and the way from upload to predictions beside their peers, and write docs/benchmarks.md
	@.venv/bin/python -m benchmarks $(BENCHMARKS)

# NOTEBOOKS=FOLDER takes executed notebooks instead of executing them, which takes minutes.
site: $(STAMP)  ## Build the documentation site into build/site
	@.venv/bin/python scripts/build_site.py --output build/site $(if $(NOTEBOOKS),--notebooks $(NOTEBOOKS)) $(SITE_OPTIONS)

format: $(STAMP)  ## Rewrite the sources in the project's format
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

IMAGE_LOCK := packages/localmaker/src/localmaker/images/scikit-learn-1.9-0.lock

# For the image's platform, and without what the image has.
BESIDE_THE_IMAGE = $(UV) pip compile --python-version 3.12 --python-platform x86_64-manylinux_2_28 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" --upgrade --constraint $(IMAGE_LOCK) \
	$$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' $(IMAGE_LOCK))

lock: $(STAMP)  ## Resolve the lock files again, among them what the steps need beside the image
	$(UV) pip compile --universal --python-version 3.11.4 --generate-hashes --no-header --no-annotate \
		pyproject.toml --extra local --extra notebooks --group dev --group image --no-emit-package localmaker --no-emit-package pipedef --upgrade -o requirements.lock
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		packages/localmaker/src/localmaker/images/scikit-learn-1.9-0.in --upgrade -o packages/localmaker/src/localmaker/images/scikit-learn-1.9-0.lock
	for image in lambda-python scikit-learn-1.4-2 scikit-learn-1.2-1 xgboost-3.2-0 xgboost-3.0-5 xgboost-1.7-1 \
		pytorch-2.0 pytorch-2.6 tensorflow-2.15 tensorflow-2.19 autogluon-1.4; do \
		$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
			packages/localmaker/src/localmaker/images/$$image.in --upgrade -o packages/localmaker/src/localmaker/images/$$image.lock || exit 1; done
	$(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-deps \
		packages/localmaker/src/localmaker/images/scikit-learn-1.9-0-source.in --upgrade \
		-o packages/localmaker/src/localmaker/images/scikit-learn-1.9-0-source.lock
	$(BESIDE_THE_IMAGE) --only-binary :all: steps/requirements.in -o steps/requirements.txt
	$(BESIDE_THE_IMAGE) tests/aws_toolkits/requirements.in -o tests/aws_toolkits/requirements.txt

clean:  ## Remove the environment
	rm -rf .venv

# pip installs only uv, pinned by the lock's hash; uv installs the rest in a tenth of pip's time.
$(STAMP): requirements.lock $(wildcard pyproject.toml packages/*/pyproject.toml) scripts/find_python.sh $(wildcard packages/localmaker/src/localmaker/images/*.lock) steps/requirements.txt
	@echo "Creating .venv from requirements.lock (once; about a minute) …"
	@python=$$(sh scripts/find_python.sh) && "$$python" -m venv --clear .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.lock
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.lock
	@VIRTUAL_ENV=.venv $(UV) pip install --require-hashes -r requirements.lock
	@VIRTUAL_ENV=.venv $(UV) pip install --no-deps --no-build-isolation \
		--editable packages/pipedef --editable packages/localmaker --editable .
	@.venv/bin/python -W ignore -m compileall -q -j 0 -x '/tests?/' \
		pipeline steps packages/localmaker/src packages/pipedef/src $(addprefix .venv/lib/python*/site-packages/,$(COMPILED)) || true
	@.venv/bin/python -m pipeline local prepare
	@touch $@
