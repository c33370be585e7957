# SPDX-License-Identifier: Apache-2.0
# The front door: everything a person types, in front of Meson and the scripts in tools/.

PREFIX ?= /usr
DESTDIR ?=
CNI_BIN_DIR ?= /opt/cni/bin
BUILD ?= build
PYTHON ?= /usr/bin/python3
JOBS ?= $(shell nproc)
FROM ?= 8d20393

MESON_OPTIONS = --buildtype=release -Dprefix=$(PREFIX) -Dsysconfdir=/etc -Dcni-bin-dir=$(CNI_BIN_DIR)

.PHONY: all deps install demo check check-upgrade check-kernels soak bench fuzz lint format reference clean help
.DEFAULT_GOAL := all

all: $(BUILD)/build.ninja ## build everything into build/
	ninja -C $(BUILD) -j$(JOBS)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { echo "meson is not installed; 'make deps' (as root) installs what the build needs" >&2; exit 1; }
	meson setup $(BUILD) $(MESON_OPTIONS)

deps: ## install the Debian packages that are missing (as root)
	tools/install-deps.sh

install: $(BUILD)/build.ninja ## install, stripped: PREFIX=/usr DESTDIR= CNI_BIN_DIR=/opt/cni/bin
	meson configure $(BUILD) $(MESON_OPTIONS)
	ninja -C $(BUILD) -j$(JOBS)
	DESTDIR="$(DESTDIR)" meson install -C $(BUILD) --no-rebuild --strip --quiet

demo: deps ## a node, some pods, a world: built, started, shown, removed again
	@$(MAKE) --no-print-directory all
	$(PYTHON) tools/demo/demo.py --build $(BUILD)

check: deps ## every test; the last line says how many passed
	$(PYTHON) tools/check.py --jobs $(JOBS)

check-kernels: deps ## Linux 5.10, 6.1 and 6.12 in virtual machines, and the unit under systemd; KERNELS="6.1…"
	@$(MAKE) --no-print-directory all
	$(PYTHON) test/kernel/run.py --build $(BUILD) $(KERNELS)
	$(PYTHON) test/kernel/systemd.py --build $(BUILD)

soak: deps ## hostile use, for as long as it takes (docs/reliability.md); SOAK="name…" for some of it
	@$(MAKE) --no-print-directory all
	$(PYTHON) test/soak/run.py --build $(BUILD) $(SOAK)

check-upgrade: deps ## upgrade from the commit FROM and back, under traffic
	@$(MAKE) --no-print-directory all
	$(PYTHON) tools/other_version.py build-from --commit $(FROM) --jobs $(JOBS)
	AXONEME_BUILD=$(CURDIR)/$(BUILD) AXONEME_UPGRADE_BUILD=$(CURDIR)/build-from/build \
		AXONEME_UPGRADE_IS_LANDED=1 $(PYTHON) -m pytest -q test/net/test_upgrade.py

bench: deps ## measure speed and memory (docs/performance.md); BENCH="name,…" for some of it
	@$(MAKE) --no-print-directory all
	$(PYTHON) test/bench/run.py --build $(BUILD) $(if $(BENCH),--only $(BENCH))

fuzz: ## fuzz every decoder for FUZZ_SECONDS (default 60) each
	tools/fuzz.sh

lint: ## layers, documents, licence headers, format, static analysis
	$(PYTHON) tools/lint.py

format: ## let clang-format rewrite the tree
	git ls-files '*.c' '*.h' | xargs clang-format-19 -i

reference: ## rewrite docs/reference from the tables in the code
	@$(MAKE) --no-print-directory all
	$(PYTHON) tools/reference.py --build $(BUILD)

clean: ## remove what was built
	rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16
