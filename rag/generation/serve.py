"""The child process that runs the embedded model: a llama.cpp server on loopback, and nothing else.

Started as ``python -m rag.generation.serve`` by ``rag.generation.embedded``. The model, its limits and the key arrive
as one line of JSON on standard input; the address goes out as one line on standard output. It ends when standard
input ends, which the operating system sees to when the parent dies, however it dies.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    wanted = json.loads(sys.stdin.readline())
    server = _serve(wanted)
    sys.stdout.write(json.dumps({"url": server.listening_address}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()  # until the parent is gone
    os._exit(0)  # the server's threads need no farewell


def _serve(wanted: dict[str, Any]) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = wanted["model"]
    if wanted["adapter"]:
        adapter = xllamacpp.CommonAdapterLoraInfo()
        adapter.path, adapter.scale = wanted["adapter"], 1.0
        params.lora_adapters = [adapter]
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # a free one
    params.api_keys = [wanted["key"]]
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = False  # it would show what others ask
    params.endpoint_props = False
    params.endpoint_metrics = False
    params.n_ctx = wanted["context"] * wanted["parallel"]
    params.n_parallel = wanted["parallel"]
    params.cpuparams.n_threads = wanted["threads"]
    params.cpuparams_batch.n_threads = wanted["threads"]
    params.timeout_read = params.timeout_write = 120
    params.verbosity = -1  # its log would quote questions
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
