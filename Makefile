# The chores of the project, each a line or two. See CONTRIBUTING.md for what they are about.

CARGO ?= cargo
TCLSH ?= tclsh

# What installs missing Debian packages; DEPS=: keeps make from installing any.
DEPS ?= tools/deps

# Where make install puts things. The Tcl of Debian finds packages in lib/tcltk; another one may want
# TCLLIBDIR=$(PREFIX)/lib.
PREFIX ?= /usr/local
TCLLIBDIR ?= $(PREFIX)/lib/tcltk
MANDIR ?= $(PREFIX)/share/man

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
LIBRARY := $(or $(CARGO_TARGET_DIR),target)/release/libtls.so
PACKAGE := build/tls$(VERSION)

SCRIPTS := benches examples library tests tools
PAGES := $(wildcard doc/*.man)

# The tests of tls::cms and tls::cmp that take longest: thousands of messages and transactions, to and fro with the
# openssl program. Their usual forms are in make test, their long ones in make test-scale.
PKI_TESTS := cmp.test cmp-*.test cms-docs.test cms-interop.test cms-memory.test cms-options.test

.PHONY: all build asan bench bench-tcl9 bench-ca bench-ca-databases bench-cms bench-cmp demo test test-long test-scale test-tcl9 valgrind lint doc install install-doc clean

all: build

build:
	$(DEPS) build
	$(CARGO) build --release
	$(TCLSH) tools/package.tcl $(LIBRARY) $(PACKAGE)

# With URL=https://... fetches that page; without, one from a server of its own.
demo: build
	$(DEPS) demo
	TCLLIBPATH=$(CURDIR)/build $(TCLSH) examples/https_get.tcl $(URL)

test:
	$(DEPS) build test
	$(CARGO) test

# The same work by OpenSSL itself, this package, TclTLS and Python, side by side; see benches/README.md.
# BENCH="-quick" tries it out.
bench: build
	$(DEPS) bench
	$(CARGO) build --release --example floor
	$(TCLSH) benches/run.tcl $(BENCH) $(dir $(LIBRARY))examples/floor $(PACKAGE)

# The same with the ends in Tcl 9, which can hold more connections than Tcl 8.6 can wait for.
bench-tcl9: build
	$(DEPS) bench tcl9
	$(CARGO) build --release --example floor
	tools/tcl9 make
	tools/tcl9 bench $(BENCH) $(dir $(LIBRARY))examples/floor $(PACKAGE)

# What a command of tls::ca costs beside openssl ca, by the size of the database, and how much is done by the thousand.
bench-ca: build
	$(DEPS) bench
	$(CARGO) build --release --example signing
	$(TCLSH) benches/ca.tcl $(BENCH) $(dir $(LIBRARY))examples/signing $(PACKAGE)

# The same on SQLite, PostgreSQL and MariaDB, and what many processes do at once.
bench-ca-databases: build
	$(DEPS) bench test
	$(CARGO) build --release --example signing
	$(TCLSH) benches/ca-databases.tcl $(BENCH) $(dir $(LIBRARY))examples/signing $(PACKAGE)

# tls::cms beside the openssl program and gpgsm, each operation at three sizes. BENCH_CMS="-sizes 1" tries it out.
bench-cms: build
	$(DEPS) bench
	$(TCLSH) benches/cms.tcl $(BENCH_CMS) $(PACKAGE)

# Enrolments a second by tls::cmp beside those of the openssl program.
bench-cmp: build
	$(DEPS) test
	$(TCLSH) benches/cmp.tcl $(BENCH) $(PACKAGE)

# The suite once more, on the optimized library, with the tests that take their time: the long forms of all files but the
# longest PKI tests, which make test-scale has.
test-long: build
	$(DEPS) test
	$(TCLSH) tests/all.tcl -package $(PACKAGE) -deadline 1800 -constraints long -without "$(PKI_TESTS)"

# The long forms of the PKI tests: messages beyond 2 GiB, hundreds of deaths, thousands of certificates.
test-scale: build
	$(DEPS) test
	$(TCLSH) tests/all.tcl -package $(PACKAGE) -deadline 3600 -constraints long -file "$(PKI_TESTS)"

# In Tcl 9 and, from Debian 13, in its Tcl 8.6; against that Debian's OpenSSL. What the longest PKI tests show is the same
# in both, so they run once.
test-tcl9: build
	$(DEPS) test tcl9
	tools/tcl9 make
	tools/tcl9 test $(PACKAGE) tclsh9.0
	tools/tcl9 test $(PACKAGE) tclsh8.6 -without "$(PKI_TESTS)"

# On the library without optimization: the optimizer has code compare what an Option holds before it looks whether there
# is anything, which is right, since the second comparison decides; but valgrind takes it for a decision by what nobody
# has written. Without AVX (bit 60), where OpenSSL's GHASH makes zeros by taking whatever a register held from its copy,
# which valgrind follows as far as the comparison of the tag. VALGRIND="-file socket.test" runs a part, and takes other
# options of tests/all.tcl.
valgrind:
	$(DEPS) build test valgrind
	$(CARGO) build
	$(TCLSH) tools/package.tcl $(or $(CARGO_TARGET_DIR),target)/debug/libtls.so build/valgrind/tls$(VERSION)
	OPENSSL_ia32cap="~0x1000000000000000" \
	$(TCLSH) tests/all.tcl -package build/valgrind/tls$(VERSION) -deadline 7200 $(VALGRIND) -through "valgrind --quiet \
	    --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
	    --show-leak-kinds=definite --suppressions=$(CURDIR)/tests/valgrind.supp"

# The suite on a library built with AddressSanitizer, whose runtime, that of gcc, is loaded along with tclsh. Leaks are
# valgrind's subject, and the sanitizer's own memory says nothing in tests of resources. ASAN="-file socket.test" runs a
# part, as above.
ASAN_TARGET = $(shell rustc -vV | sed -n 's/^host: //p')
asan:
	$(DEPS) build test
	RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address $(CARGO) build --target $(ASAN_TARGET)
	$(TCLSH) tools/package.tcl $(or $(CARGO_TARGET_DIR),target)/$(ASAN_TARGET)/debug/libtls.so \
	    build/asan/tls$(VERSION)
	ASAN_OPTIONS=detect_leaks=0:exitcode=99 $(TCLSH) tests/all.tcl -package build/asan/tls$(VERSION) \
	    -deadline 3600 -through "env LD_PRELOAD=$$(gcc -print-file-name=libasan.so)" \
	    -without "cms-memory.test resources.test" $(ASAN)

lint: build/lint/bin/tclint
	$(DEPS) build lint
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --no-deps --document-private-items
	build/lint/bin/tclint $(SCRIPTS)
	build/lint/bin/tclfmt --check $(SCRIPTS) pkgIndex.tcl.in
	for page in $(PAGES); do dtplite validate $$page || exit; done

build/lint/bin/tclint:
	$(DEPS) lint
	/usr/bin/python3 -m venv build/lint
	build/lint/bin/pip --quiet install tclint==0.9.0

doc:
	$(DEPS) lint
	mkdir -p build/doc
	for page in $(PAGES); do \
	    name=build/doc/$$(basename $$page .man); \
	    dtplite -o $$name.html html $$page && dtplite -o $$name.n nroff $$page || exit; \
	done

install: build
	mkdir -p $(DESTDIR)$(TCLLIBDIR)/tls$(VERSION)
	cp $(PACKAGE)/* $(DESTDIR)$(TCLLIBDIR)/tls$(VERSION)

install-doc: doc
	mkdir -p $(DESTDIR)$(MANDIR)/mann
	cp build/doc/*.n $(DESTDIR)$(MANDIR)/mann

clean:
	$(CARGO) clean
	rm -rf build
