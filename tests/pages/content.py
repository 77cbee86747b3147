"""What a page holds, read back from its file: for the tests of pages. No test itself."""

import base64
import gzip
import json
import re

import numpy as np

# The pool with which the report of the made release opens.
KEY = ("r1-mini", "cifar10", "cpu-16px-4")


def data_of(text):
    """The content of a page, from its HTML."""
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(data)


def content_of(path):
    return data_of(path.read_text("utf-8"))


def first(content):
    """The pool KEY of a report."""
    return next(one for one in content["pools"] if (one["space"], one["dataset"], one["recipe"]) == KEY)


def numbers(content, column):
    return np.frombuffer(base64.b64decode(content["columns"][column]), "<f8")


def packed_numbers(content, place):
    """A column of an explorer's numbers."""
    start, length = place
    by_byte = np.frombuffer(gzip.decompress(base64.b64decode(content["packed"]["numbers"])), np.uint8)
    return np.frombuffer(by_byte.reshape(8, -1).T.tobytes(), "<f8")[start : start + length]


def packed_lines(content, place):
    """A column of an explorer's texts."""
    return json.loads(gzip.decompress(base64.b64decode(content["packed"]["lines"])))[place].split("\n")
