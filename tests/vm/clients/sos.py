#!/usr/bin/env python3
"""sos: its report's multipath part. Every command ends well and says something.

sos.py DISK...: two paths of one map
"""

import glob
import json
import os
import subprocess
import tempfile

from verdict import disks, expect, wwid_of

folder = tempfile.mkdtemp(dir="/run")
command = ["sos", "report", "--batch", "--quiet", "--build", "--only-plugins", "multipath", "--tmp-dir", folder]
subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
(report,) = (name for name in glob.glob(folder + "/sosreport-*") if os.path.isdir(name))
with open(report + "/sos_reports/manifest.json", encoding="utf-8") as file:
    commands = json.load(file)["components"]["report"]["plugins"]["multipath"]["commands"]
status = {one["exec" if "exec" in one else "command"]: one["return_code"] for one in commands}
text = {}
for name in glob.glob(report + "/sos_commands/multipath/*"):
    with open(name, encoding="utf-8") as file:
        text[os.path.basename(name)] = file.read()

asked = ["multipath -ll", "multipath -t", "multipath -v4 -ll", "multipathd show config"]
expect("it asks four things", sorted(status), asked)
expect("every answer is a good one", set(status.values()), {0})
wwid = wwid_of(disks()[0])
expect("-ll has the map", wwid in text["multipath_-ll"], True)
expect("so has -v4 -ll", wwid in text["multipath_-v4_-ll"], True)
expect("-t has sections", "defaults {" in text["multipath_-t"] and "blacklist {" in text["multipath_-t"], True)
expect("show config has them, too", "defaults {" in text["multipathd_show_config"], True)
expect("the configuration is copied", os.path.isfile(report + "/etc/multipath.conf"), True)
