# Every command of the project. Needs Node 20.19 or newer, make and a shell; brings the rest itself.
.DEFAULT_GOAL := help
SHELL := /bin/sh

CLUSTER := node --import tsx dev/cluster/main.ts
# Many sockets are open files: take what the system allows. Where it says "unlimited" it may still refuse, hence "true".
MANY_FILES := ulimit -n "$$(ulimit -Hn)" 2>/dev/null || true
SOURCES := $(shell find api callctl client conformance mock core edge gateway web worker migrations -type f -not -path '*/dist/*' \( -name '*.ts' -o -name '*.tsx' -o -name '*.css' -o -name '*.html' -o -name '*.svg' -o -name '*.lua' -o -name '*.yaml' -o -name '*.template' \) ! -name '*.test.ts' 2>/dev/null)

## Run

.PHONY: up
up: build ## Start the cluster and show its logs until Ctrl-C (PORT, GATEWAYS, APIS, WORKERS, CALL_GROUPS, TLS=1, TURN=1, PROMETHEUS=1, DATABASE_URL, REDIS_URL, JWT_SECRET)
	@$(MANY_FILES); exec $(CLUSTER) up

.PHONY: down
down: node_modules/.package-lock.json ## Stop the cluster of this checkout from another shell
	@$(CLUSTER) down

.PHONY: status
status: node_modules/.package-lock.json ## Show what runs, and whether it is ready
	@$(CLUSTER) status || true

.PHONY: scale
scale: node_modules/.package-lock.json ## Add gateways to the running cluster, or drain the last ones away (gateways=4)
	@$(CLUSTER) scale --gateways '$(gateways)'

.PHONY: token
token: node_modules/.package-lock.json ## Print a token for the running cluster (user=<uuid>, name=, device=, scope=)
	@$(CLUSTER) token $(if $(user),--user '$(user)') $(if $(name),--name '$(name)') $(if $(device),--device '$(device)') $(if $(scope),--scope '$(scope)')

.PHONY: demo
demo: node_modules/.package-lock.json ## Make a call through the running cluster, with two WebRTC stacks (RELAY=1 through TURN alone)
	@$(if $(wildcard .run/tls/ca.pem),NODE_EXTRA_CA_CERTS=.run/tls/ca.pem) node --import tsx dev/demo/main.ts

.PHONY: prometheus-rules
prometheus-rules: node_modules/.package-lock.json ## Print the alerts as the Prometheus operator takes them, for kubectl apply -f -
	@node --import tsx dev/prometheus-rules.ts

.PHONY: logs
logs: ## Follow the logs of the running cluster (name=gateway-1 for one process)
	@tail -n 50 -F .run/logs/$(or $(name),*).log

.PHONY: callctl
callctl: build ## Look into the running cluster as its operator (args="nodes", args="timeline <call>"; docs/callctl.md)
	@$(CLUSTER) callctl $(args)

## Build and check

.PHONY: build
build: dist/.built ## Make the processes and the page into dist/, the client into client/dist/

.PHONY: docs
docs: build ## Write the reference of the client, client/API.md, from its types
	@node --import tsx dev/client-reference/main.ts

.PHONY: test
test: node_modules/.package-lock.json ## Run every check and test; the last line counts them (files= for some, grep= for titles)
	@$(MANY_FILES); exec node --import tsx dev/test/run.ts $(if $(grep),--grep '$(grep)') $(files)

.PHONY: test-full
test-full: node_modules/.package-lock.json ## As test, with the long randomised trials at full length
	@$(MANY_FILES); TRIALS=full exec node --import tsx dev/test/run.ts $(if $(grep),--grep '$(grep)') $(files)

.PHONY: chaos-signaling
chaos-signaling: build ## Kill, stop and drain gateways under a thousand calls, and show the ledger (CALLS, KILLS, GATEWAYS)
	@$(MANY_FILES); exec node --import tsx test/chaos/main.ts

.PHONY: chaos-storm
chaos-storm: build ## Let 50,000 clients connect at once and a gateway die among them (CLIENTS, GATEWAYS, THROUGH=edge)
	@$(MANY_FILES); exec node --import tsx test/chaos/storm/main.ts

.PHONY: chaos-rolling
chaos-rolling: build ## Replace every process and scale gateways under 500 calls and REST traffic (CALLS, REST_CLIENTS)
	@$(MANY_FILES); exec node --import tsx test/chaos/rolling-main.ts

.PHONY: test-containers
test-containers: node_modules/.package-lock.json ## Build the image, start docker-compose.yml and make calls through it (needs Docker, or root on Debian)
	@$(MANY_FILES); exec node --import tsx dev/test/run.ts $(if $(grep),--grep '$(grep)') test/containers/compose.trial.ts

.PHONY: dashboards
dashboards: node_modules/.package-lock.json ## Make observability/grafana/dashboards/ from observability/dashboards/
	@node --import tsx observability/main.ts

.PHONY: lint
lint: node_modules/.package-lock.json ## Check style and formatting
	@npm run --silent lint

.PHONY: format
format: node_modules/.package-lock.json ## Put style and formatting right where that is safe
	@npm run --silent format

.PHONY: typecheck
typecheck: node_modules/.package-lock.json ## Check types, tests included
	@npm run --silent typecheck

.PHONY: clean
clean: ## Stop the cluster, remove its data, logs and everything built or fetched, except node_modules
	@if [ -d node_modules/tsx ]; then $(CLUSTER) clean; fi
	@rm -rf dist client/dist conformance/dist mock/dist .tools

.PHONY: help
help: ## Show this
	@awk -F ':.*## ' '/^## / { printf "\n%s\n", substr($$0, 4) } /^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

.PHONY: conformance
conformance: build ## Test from outside whether a service keeps the contract (url=, secret= or tokens=file; docs/conformance.md)
	@node conformance/dist/main.js $(or $(url),http://localhost:8093) $(if $(secret),--secret '$(secret)') $(if $(tokens),--tokens '$(tokens)') $(args)

## Measure

.PHONY: bench
bench: build loadtest/node_modules/.package-lock.json ## Measure the cluster beside what people build by the book, some 20 minutes; writes loadtest/results/
	@$(MANY_FILES); exec node --import tsx loadtest/main.ts

.PHONY: bench-quick
bench-quick: build loadtest/node_modules/.package-lock.json ## The same in under 2 minutes: one round, 1 and 4 nodes, a table
	@$(MANY_FILES); exec node --import tsx loadtest/main.ts --quick

.PHONY: bench-setup
bench-setup: build ## Measure a call from the button to connected media, in under 2 minutes; writes loadtest/results/ (CALLS, BROWSER=1)
	@$(MANY_FILES); exec node --import tsx loadtest/setup/main.ts

.PHONY: loadtest
loadtest: build $(if $(scenario),loadtest/artillery/node_modules/.package-lock.json) ## Try it against its targets in under 5 minutes (trials=a,b), or run an Artillery scenario= against url= or what make up started
	@$(MANY_FILES); exec node --import tsx loadtest/loadtest.ts $(if $(trials),--trials '$(trials)') $(if $(scenario),--scenario '$(scenario)') $(if $(url),--url '$(url)')

.PHONY: loadtest-full
loadtest-full: build loadtest/artillery/node_modules/.package-lock.json ## The same at full size, some 30 minutes, 7 GB of disk (trials=a,b for parts of it on one page)
	@$(MANY_FILES); exec node --import tsx loadtest/loadtest.ts --full $(if $(trials),--trials '$(trials)')

# npm writes this file last, so an interrupted installation is made again.
node_modules/.package-lock.json: package-lock.json
	@node -e 'const [a, b] = process.versions.node.split("."); if (a < 20 || (a == 20 && b < 19)) { console.error("Node 20.19 or newer is needed; this is " + process.version); process.exit(1) }'
	npm ci --include=dev --no-audit --no-fund
	@touch $@

# What the rivals stand on; nothing of it is in the product.
loadtest/node_modules/.package-lock.json: loadtest/package-lock.json
	cd loadtest && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

# Artillery takes 590 MB, which no other command needs.
loadtest/artillery/node_modules/.package-lock.json: loadtest/artillery/package-lock.json
	cd loadtest/artillery && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

dist/.built: node_modules/.package-lock.json $(SOURCES) dev/build.mjs dev/build-client.mjs dev/build-conformance.mjs dev/build-mock.mjs dev/name-declarations.mjs dev/build-processes.mjs dev/build-web.mjs tsconfig.json client/tsconfig.json client/tsconfig.types.json
	node dev/build.mjs
	@touch $@
