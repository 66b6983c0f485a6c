"""Reads wired M-Bus frames in hexadecimal, a line each, and prints how many a second pyMeterBus reads the records of.

    pip install pyMeterBus==0.8.5

The benchmark `decode` starts it with the records of the telegrams that it has decrypted itself.
"""

import sys
import time

import meterbus

frames = [bytes.fromhex(line) for line in sys.stdin]


def read_all():
    start = time.perf_counter()
    for frame in frames:
        for record in meterbus.load(frame).records:
            record.parsed_value, record.unit
    return time.perf_counter() - start


read_all()
print(len(frames) / min(read_all() for _ in range(3)))
