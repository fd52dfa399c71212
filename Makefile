# A thin index of scripts/: every target works from a clean clone.
.PHONY: install demo test lint check bench clean

install: ; @scripts/install
demo:    ; @scripts/demo
test:    ; @scripts/test
lint:    ; @scripts/lint
check:   ; @scripts/check
bench:   ; @scripts/bench
clean:   ; rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
