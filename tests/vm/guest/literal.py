#!/usr/bin/env python3
"""Reads JSON as a client does that has no JSON: blanks and newlines go, the rest is a literal of Python. Fails on null, true
and false, and on a number that is no integer. Prints how many objects there are in it.
"""
import ast
import sys


def count(value):
    if isinstance(value, dict):
        return 1 + sum(count(member) for member in value.values())
    if isinstance(value, list):
        return sum(count(member) for member in value)
    if type(value) not in (str, int):
        sys.exit(f"neither text nor a whole number: {value!r}")
    return 0


print(count(ast.literal_eval(sys.stdin.read().replace("\n", "").replace(" ", ""))))
