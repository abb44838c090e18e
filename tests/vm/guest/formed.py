#!/usr/bin/python3
"""Is what an operator or a program gets from the daemon well-formed, whatever devices say of themselves?

formed.py CTL PATHS [FILE...]: of the program CTL the JSON is JSON, and everything is printable text; a table has a line for each path,
and at least PATHS of them. The files are such text, too. Says what is not, and ends with 1.
"""
import json
import subprocess
import sys

ctl, least, files = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
wrong = []


def text_of(what, data):
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        wrong.append(f"{what}: {error}")
        text = data.decode("latin1")
    odd = [line for line in text.split("\n") if not line.replace("\t", "").isprintable()]
    if odd:
        wrong.append(f"{what}: {odd}")
    return text


def said(*words):
    done = subprocess.run([ctl, *words], capture_output=True, timeout=20, check=False)
    if done.returncode != 0:
        wrong.append(f"{words}: status {done.returncode}, {done.stderr!r}")
    return text_of(words, done.stdout)


def parsed(*words):
    text = said(*words)
    try:
        return json.loads(text)
    except ValueError as error:
        wrong.append(f"{words}: {error}: {text!r}")
        return {}


paths = parsed("show", "paths", "json").get("paths", [])
parsed("show", "maps", "json")
said("-ll")
said("show", "maps")
said("show", "topology")
lines = said("show", "paths", "raw", "format", "%d %w %s %z %g %m").splitlines()
if len(lines) != len(paths) or len(paths) < least:
    wrong.append(f"{len(lines)} lines, {len(paths)} paths, {least} wanted: {lines}")
for path in files:
    with open(path, "rb") as file:
        text_of(path, file.read())
sys.exit("\n".join(wrong) or 0)
