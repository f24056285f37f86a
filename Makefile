# What a person types. `make demo` shows messages crossing, `make test` checks everything.

.DEFAULT_GOAL := help
SHELL := /bin/sh

JAVA_SOURCES := $(wildcard tests/java/mqferry/*.java)

.PHONY: help
help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

# --- what the tests need from outside -------------------------------------------------------------------------

.PHONY: deps tools
deps: tools .deps/classes.stamp ## gets what the tests need: tshark, Java, a real ActiveMQ, JMS clients

# keytool and jcmd come with the JDK; cc is for the C parts of the cryptography
tools:
	@./tools/need tshark=tshark java=openjdk-17-jdk-headless javac=openjdk-17-jdk-headless mvn=maven cc=gcc

.deps/jars.stamp: tests/java/pom.xml | tools
	@echo "downloading ActiveMQ and the JMS clients into .deps/jars"
	@rm -rf .deps/jars && mkdir -p .deps
	@mvn -q -B -f tests/java/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
		-DoutputDirectory="$(CURDIR)/.deps/jars"
	@touch $@

.deps/classes.stamp: .deps/jars.stamp $(JAVA_SOURCES)
	@echo "compiling the tests' JMS programs"
	@rm -rf .deps/classes && mkdir -p .deps/classes
	@javac --release 17 -proc:none -Xlint:all,-path -Werror -d .deps/classes -cp '.deps/jars/*' $(JAVA_SOURCES)
	@touch $@

.PHONY: clean-deps
clean-deps: ## forgets what deps downloaded and compiled
	rm -rf .deps
