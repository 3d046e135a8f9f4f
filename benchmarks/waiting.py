"""What threads cost that wait by spinning, beside other jobs.

    OMP_NUM_THREADS=2 python -m benchmarks.waiting
    OMP_NUM_THREADS=2 OMP_WAIT_POLICY=PASSIVE python -m benchmarks.waiting

Run both while something else keeps the cores busy. It prints the time of the clock and of the processors.
"""

from __future__ import annotations

import os
import time

import torch
from torch.nn import functional as F

ROUNDS = 1500


def main() -> None:
    images, wide, back = torch.randn(400, 256), torch.randn(256, 1024), torch.randn(1024, 256)
    clock, processors = time.perf_counter(), time.process_time()
    for _ in range(ROUNDS):
        F.gelu(images @ wide) @ back
    clock, processors = time.perf_counter() - clock, time.process_time() - processors
    policy = os.environ.get("OMP_WAIT_POLICY", "not set")
    print(f"{torch.get_num_threads()} threads, policy {policy}: {clock:.1f} s, {processors:.1f} s of processors")


if __name__ == "__main__":
    main()
