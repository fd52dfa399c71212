# A thin index of scripts/: every target works from a clean clone.
.PHONY: install demo test lint check bench soak compat conformance clean

install: ; @scripts/install
demo:    ; @scripts/demo
test:    ; @scripts/test
lint:    ; @scripts/lint
check:   ; @scripts/check
bench:   ; @scripts/bench
soak:    ; @scripts/soak $(ARGS)
compat:  ; @scripts/compat
# On an embedded engine, or with INGRESS=host:port on the cluster of KUBECONFIG; ARGS go to pytest.
conformance: ; @KUBECONFIG="$(KUBECONFIG)" INGRESS="$(INGRESS)" scripts/conformance $(ARGS)
clean:   ; rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
