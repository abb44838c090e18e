#!/usr/bin/python3
"""Situations that both daemons are put into: a configuration and the state of each path.

    situations.py SEED COUNT DIRECTORY    writes NNN.conf, NNN.offline and NNN.marginal (numbers of the disks that are so)
    situations.py --compare A B           compares what both daemons made of them; status 1 if anything differs, or one has no table

A file to compare has lines `NNN WWID TABLE`, and the situations are in its folder. Where paths stand within a group means nothing, so they are sorted.
"""

import pathlib
import random
import sys

HOSTS = 3
# Debian's kernel has no such selector: there is no map with it.
NO_MODULE = '"historical-service-time 0"'
DEFAULTS = {
    "path_grouping_policy": ["failover", "multibus", "group_by_serial", "group_by_prio", "group_by_node_name"],
    "path_selector": [*3 * ['"round-robin 0"', '"queue-length 0"', '"service-time 0"'], NO_MODULE],
    "no_path_retry": ["fail", "queue", "5", "60"],
    "prio": ["const", "sysfs", "alua", "weightedpath", "weightedpath"],
    "path_checker": ["tur", "directio", "readsector0"],
    "failback": ["immediate", "manual", "10"],
    "features": [
        '"0"',
        '"1 queue_if_no_path"',
        '"2 pg_init_retries 5"',
        '"3 queue_if_no_path pg_init_retries 7"',
        '"2 pg_init_delay_msecs 500"',
        '"4 pg_init_delay_msecs 500 pg_init_retries 3"',
        '"2 queue_mode bio"',
        '"3 queue_if_no_path queue_mode bio"',
    ],
    "rr_min_io_rq": ["1", "10"],
    "hardware_handler": ['"0"', '"1 alua"'],
    "retain_attached_hw_handler": ["yes", "no"],
    "detect_prio": ["yes", "no"],
    "detect_checker": ["yes", "no"],
    "user_friendly_names": ["no"],
    "flush_on_last_del": ["yes", "no"],
    "marginal_pathgroups": ["on", "off"],
}
# Priorities of each path: by the LUN, by the host, and another for each.
WEIGHTS = [
    "hbtl :[01]$ 5 :[23]$ 1",
    "hbtl .*:0:0:[03] 50 .*:0:0:[12] 10",
    "devname sd[bdfhjl] 10 sd[cegikm] 50",
    "devname sd[b-e] 20 sd[f-m] 10",
    " ".join(["devname", *(f"sd{letter} {number}" for number, letter in enumerate("bcdefghijklm", 1))]),
]
MAPS = ["path_grouping_policy", "path_selector", "no_path_retry", "failback", "features", "prio"]
DEVICES = [*MAPS, "hardware_handler"]


def lines(rng, keys, share):
    for key in keys:
        if DEFAULTS[key] and rng.random() < share:
            value = rng.choice(DEFAULTS[key])
            yield f"\t{key} {value}\n"
            if value == "weightedpath":
                yield f'\tprio_args "{rng.choice(WEIGHTS)}"\n'


def situation(rng, luns):
    text = ["defaults {\n\tpolling_interval 1\n\tmax_polling_interval 1\n\tfind_multipaths off\n"]
    # Debian's release knows neither this nor group_by_tpg; it says so and goes on.
    text.append("\tdetect_pgpolicy no\n")
    text += lines(rng, [key for key in DEFAULTS if key != "hardware_handler"], 0.4)
    text.append("}\nblacklist {\n\tdevnode \"^sda$\"\n}\nblacklist_exceptions {\n\tproperty \".*\"\n}\n")
    if rng.random() < 0.5:
        text.append("devices {\n device {\n\tvendor Linux\n\tproduct \"scsi_debug\"\n")
        text += lines(rng, MAPS, 0.4)
        text.append(" }\n}\n")
    if rng.random() < 0.5:
        text.append("overrides {\n")
        text += lines(rng, MAPS, 0.3)
        text.append("}\n")
    if rng.random() < 0.5:
        text.append("multipaths {\n")
        for wwid in luns:
            if rng.random() < 0.6:
                text.append(f" multipath {{\n\twwid {wwid}\n")
                text += lines(rng, MAPS, 0.4)
                text.append(" }\n")
        text.append("}\n")
    return "".join(text)


def generate(seed, count, directory):
    luns = sys.stdin.read().split()
    rng = random.Random(int(seed))
    for number in range(int(count)):
        text = situation(rng, luns)
        drawn = [(disk, rng.random()) for disk in range(HOSTS * len(luns))]
        # One of each LUN: of several groups that are equal the reference has the one first that was called marginal last.
        marginal = {disk % len(luns): disk for disk, at in drawn if at > 0.7}
        states = {"offline": [disk for disk, at in drawn if at < 0.15], "marginal": list(marginal.values())}
        # The manual page has it that an operator's word for a marginal path is good with this only.
        if "marginal_pathgroups on" not in text:
            states["marginal"] = []
        pathlib.Path(f"{directory}/{number:03}.conf").write_text(text)
        for state, disks in states.items():
            with open(f"{directory}/{number:03}.{state}", "w") as out:
                out.write(" ".join(map(str, disks)))


def normal(table):
    """`0 SIZE multipath FEATURES… HANDLER… GROUPS INIT (SELECTOR 0 PATHS ARGS (DEV ARG…)…)…`, paths sorted."""
    words = table.split()
    head, rest = words[:3], words[3:]

    def counted():
        n = int(rest[0])
        taken, rest[:] = rest[: n + 1], rest[n + 1 :]
        return taken

    head += counted() + counted()
    groups, init = int(rest[0]), rest[1]
    rest = rest[2:]
    out = []
    for _ in range(groups):
        selector = [rest.pop(0)]
        selector += counted()
        paths, args = int(rest[0]), int(rest[1])
        rest[:2] = []
        each = [tuple(rest[i * (args + 1) : (i + 1) * (args + 1)]) for i in range(paths)]
        rest[: paths * (args + 1)] = []
        out.append((tuple(selector), tuple(sorted(each))))
    return tuple(head), init, tuple(out)


def compare(first, second):
    tables = []
    for path in (first, second):
        with open(path) as text:
            tables.append({tuple(line.split()[:2]): " ".join(line.split()[2:]) for line in text})
    differ, shown = 0, None
    for key in sorted(set(tables[0]) | set(tables[1])):
        a, b = (t.get(key) for t in tables)
        if a is None or b is None or not a or not b or normal(a) != normal(b):
            differ += 1
            if key[0] != shown:
                shown = key[0]
                base = f"{first.rsplit('/', 1)[0]}/{shown}"
                print(pathlib.Path(f"{base}.conf").read_text())
                for state in "offline", "marginal":
                    print(f"# {state}: {pathlib.Path(f'{base}.{state}').read_text()}")
            print(f"situation {key[0]}, {key[1]}:\n  {first}: {a}\n  {second}: {b}")
    same = len(set(tables[0]) | set(tables[1])) - differ
    situations = {path.stem for path in pathlib.Path(first).parent.glob("*.conf") if NO_MODULE not in path.read_text()}
    empty = sorted(situations - {number for number, _ in (*tables[0], *tables[1])})
    for number in empty:
        print(f"situation {number}: neither has a table")
    failed = differ + len(empty)
    print(f"{same} passed, {failed} failed")
    return failed != 0 or same == 0


if sys.argv[1] == "--compare":
    sys.exit(compare(*sys.argv[2:]))
generate(*sys.argv[1:])
