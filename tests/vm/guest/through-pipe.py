#!/usr/bin/env python3
"""Runs a command into a pipe of one page that is read slowly, and prints what came through.

usage: through-pipe.py PROGRAM ARGUMENT...
"""
import fcntl
import os
import subprocess
import sys

SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ


def main():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, SET_PIPE_SIZE, 4096)
    child = subprocess.Popen(sys.argv[1:], stdout=writer)
    os.close(writer)
    while piece := os.read(reader, 512):
        sys.stdout.buffer.write(piece)
    sys.exit(child.wait())


main()
