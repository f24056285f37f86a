# What a person types. `make demo` shows messages crossing, `make test` checks everything.

.DEFAULT_GOAL := help
SHELL := /bin/sh

CARGO_DENY := 0.20.2
DENY := .deps/cargo-deny-$(CARGO_DENY).stamp
# ActiveMQ:Spring, beside those of tests/java/pom.xml; the tests ask for them by ActiveMQ's version
OTHER_BROKERS := 5.18.6:5.3.39 6.1.8:6.1.14 6.3.1:6.1.14
JAVA_SOURCES := $(wildcard tests/java/mqferry/*.java)

.PHONY: help
help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

# --- trying it ------------------------------------------------------------------------------------------------

.PHONY: demo
demo: build-tools ## a simulated queue manager sends through mqferry into the embedded store
	cargo run --locked -- demo

# --- checking it: cheapest first ------------------------------------------------------------------------------

.PHONY: test
test: deps fmt clippy tests doc deny fuzz-smoke ## everything that must hold, as CI runs it

.PHONY: fmt clippy tests doc
fmt: build-tools
	cargo fmt --all --check

clippy: build-tools
	cargo clippy --locked --all-targets -- -D warnings

tests: deps
	cargo test --locked

doc: build-tools
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items

.PHONY: deny
deny: $(DENY) ## licences, banned crates and sources of the dependencies
	.deps/cargo/bin/cargo-deny --locked check licenses bans sources

.PHONY: fuzz-smoke
fuzz-smoke: deps ## builds the fuzz targets and runs each for some seconds
	./tools/fuzz-smoke

.PHONY: soak
soak: deps ## what takes long: a thousand deaths on the embedded store, five hundred each way on real brokers, each run told as it ends
	MQFERRY_KILLS_RUNS=1000 cargo test --locked --test kills -- --nocapture seeded_embedded
	MQFERRY_KILLS_RUNS=500 cargo test --locked --test kills -- --nocapture seeded_broker
	MQFERRY_KILLS_RUNS=500 cargo test --locked --test kills -- --nocapture seeded_sending

.PHONY: bench
bench: deps .deps/camel.stamp ## decoding, mapping, and end to end beside Java clients and bridges
	cargo bench --locked

# --- what the tests need from outside -------------------------------------------------------------------------

.PHONY: deps tools build-tools
deps: build-tools tools .deps/classes.stamp .deps/brokers.stamp ## gets what the tests need: tshark, Java, a real ActiveMQ, JMS clients

tools:
	@./tools/need tshark=tshark java=default-jdk-headless javac=default-jdk-headless mvn=maven g++=g++

# some crates (the cryptography) have parts in C
build-tools:
	@command -v cargo >/dev/null || { echo "missing: cargo; install Rust 1.95 or newer with rustup" >&2; exit 1; }
	@./tools/need cc=gcc

.deps/jars.stamp: tests/java/pom.xml | tools
	@echo "downloading ActiveMQ and the JMS clients into .deps/jars"
	@rm -rf .deps/jars && mkdir -p .deps
	@mvn -q -B -f tests/java/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
		-DoutputDirectory="$(CURDIR)/.deps/jars"
	@touch $@

# other versions of the broker, each with the Spring that reads its configuration; no clients
.deps/brokers.stamp: tests/java/pom.xml Makefile | tools
	@rm -rf .deps/brokers && mkdir -p .deps/brokers
	@for versions in $(OTHER_BROKERS); do \
		broker=$${versions%:*}; spring=$${versions#*:}; \
		echo "downloading ActiveMQ $$broker into .deps/brokers/$$broker"; \
		mvn -q -B -f tests/java/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
			-Dactivemq.version=$$broker -Dspring.version=$$spring \
			-DexcludeArtifactIds=qpid-jms-client,icu4j-charset,icu4j,activemq-pool,activemq-jms-pool \
			-DoutputDirectory="$(CURDIR)/.deps/brokers/$$broker" || exit 1; \
	done
	@touch $@

.deps/classes.stamp: .deps/jars.stamp $(JAVA_SOURCES)
	@echo "compiling the tests' JMS programs"
	@rm -rf .deps/classes && mkdir -p .deps/classes
	@javac --release 17 -proc:none -Xlint:all,-path -Werror -d .deps/classes -cp '.deps/jars/*' $(JAVA_SOURCES)
	@touch $@

.deps/camel.stamp: benches/java/pom.xml .deps/jars.stamp $(wildcard benches/java/mqferry/*.java) | tools
	@echo "downloading Apache Camel into .deps/camel, for the benchmarks"
	@rm -rf .deps/camel && mkdir -p .deps/camel/classes
	@mvn -q -B -f benches/java/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
		-DoutputDirectory="$(CURDIR)/.deps/camel"
	@javac --release 17 -proc:none -Xlint:all,-path,-classfile -Werror -d .deps/camel/classes \
		-cp '.deps/camel/*:.deps/jars/*' benches/java/mqferry/*.java
	@touch $@

# built once from source, without optimisation and what a debugger wants: it runs for a second
$(DENY): | build-tools
	@echo "building cargo-deny $(CARGO_DENY), once"
	CARGO_PROFILE_DEV_DEBUG=0 cargo install cargo-deny --locked --version $(CARGO_DENY) --debug --root .deps/cargo --target-dir .deps/cargo/target
	@rm -rf .deps/cargo/target
	@touch $@

.PHONY: clean-deps
clean-deps: ## forgets what deps downloaded and compiled
	rm -rf .deps
