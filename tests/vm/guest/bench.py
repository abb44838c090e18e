#!/usr/bin/python3
"""What tests/vm/bench.sh measures of a daemon, with nothing in the way: no shell, no process a poll.

  bench.py start HOSTS LUNS LOG PROGRAM...  starts it; prints its pid, seconds and CPU until all is in service
  bench.py steady PID SECONDS               prints its CPU, its threads, and the commands a second to disks
  bench.py switches PID SECONDS             prints its context switches a second
  bench.py reconfigure PID SECONDS          prints its CPU in so many seconds from a `reconfigure` that changes nothing
  bench.py hostfails PATHS                  one host's disks go offline, all at once: prints seconds until it shows them so
  bench.py run TIMES PROGRAM...             prints wall clock and CPU of a command, medians
  bench.py replies TIMES COMMAND            prints how long the daemon takes to answer that, the median
  bench.py latency PID TIMES COMMAND...     prints how long an answer takes, the median and the slowest of all commands, each so often, and
                                            the most CPU that the daemon spends while it is waited for

Times are milliseconds but for the seconds until all is in service. CPU is the kernel's clock of the process: utime and
stime of /proc/PID/stat together, all its threads, ended ones too, in nanoseconds. Threads of the kernel are not in it.
"""
import glob
import os
import socket
import struct
import sys
import time
from statistics import median

LIMIT = 120  # seconds, for a start
SOCKET = '\0/org/kernel/linux/storage/multipathd'
TRIGGER = '/sys/kernel/tracing/events/sched/sched_switch/'
HIST = 'hist:keys=prev_comm'


def cpu_ms(pid):
    return time.clock_gettime((~pid << 3) | 2) * 1000  # CPUCLOCK_SCHED of a process, linux/posix-timers.h


def text(path):
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read().strip()
    except OSError:
        return ''


def put(path, value):
    with open(path, 'w', encoding='ascii') as file:
        file.write(value + '\n')  # some want the end of the line


def maps_in_service(paths):
    """How many maps have that many paths, and a name below /dev/mapper that udev made."""
    count = 0
    for dm in (name for name in os.listdir('/sys/block') if name.startswith('dm-')):
        is_map = text(f'/sys/block/{dm}/dm/uuid').startswith('mpath-')
        if is_map and len(os.listdir(f'/sys/block/{dm}/slaves')) == paths:
            count += os.path.exists('/dev/mapper/' + text(f'/sys/block/{dm}/dm/name'))
    return count


def ask(command):
    """The daemon's reply, read as libmpathcmd does."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(SOCKET)
            line = command.encode() + b'\0'
            client.sendall(struct.pack('=Q', len(line)) + line)
            reply = client.makefile('rb')
            (size,) = struct.unpack('=Q', reply.read(8))
            return reply.read(size).rstrip(b'\0').decode()
    except (OSError, struct.error):
        return ''


def paths_in(*state):
    reply = ask('show paths raw format "%t %T"')
    return sum(line.split() == list(state) for line in reply.splitlines())


def wait(done):
    limit = time.monotonic() + LIMIT
    while not done():
        if time.monotonic() > limit:
            sys.exit(f'not all in service after {LIMIT} s')
        time.sleep(0.05)


def start(hosts, luns, log, *program):
    """The daemon is asked only when the kernel has all maps: no answer costs it anything before."""
    begin = time.monotonic()
    files = [(os.POSIX_SPAWN_OPEN, 0, '/dev/null', os.O_RDONLY, 0)]
    files.append((os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644))
    files.append((os.POSIX_SPAWN_DUP2, 1, 2))
    pid = os.posix_spawn(program[0], program, os.environ, file_actions=files, setsid=True)
    wait(lambda: maps_in_service(int(hosts)) == int(luns))
    wait(lambda: paths_in('active', 'ready') == int(hosts) * int(luns))
    print(pid, f'{time.monotonic() - begin:.2f}', f'{cpu_ms(pid):.1f}')


def commands():
    """How many requests all SCSI disks but the guest's own have had, from anybody."""
    disks = (name for name in os.listdir('/sys/block') if name.startswith('sd') and name != 'sda')
    return sum(int(text(f'/sys/block/{disk}/device/iorequest_cnt'), 16) for disk in disks)


def steady(pid, seconds):
    pid, seconds, threads = int(pid), int(seconds), []
    asked, before, begin = commands(), cpu_ms(pid), time.monotonic()
    for second in range(1, seconds + 1):
        time.sleep(max(0, begin + second - time.monotonic()))
        threads.append(len(os.listdir(f'/proc/{pid}/task')))
    cpu, asked = cpu_ms(pid) - before, commands() - asked
    print(f'{cpu:.1f}', f'{median(threads):.0f}', f'{asked / (time.monotonic() - begin):.1f}')


def switches(pid, seconds):
    """The scheduler counts by name of thread: /proc forgets threads that end, and some live for one check only."""
    names = set()
    with open(TRIGGER + 'trigger', 'w', encoding='ascii') as trigger:
        trigger.write(HIST)
    begin = time.monotonic()
    while time.monotonic() < begin + int(seconds):
        names |= {text(f'/proc/{pid}/task/{task}/comm') for task in os.listdir(f'/proc/{pid}/task')}
        time.sleep(0.25)
    total = 0
    for line in text(TRIGGER + 'hist').splitlines():
        name, _, count = line.removeprefix('{ prev_comm: ').partition('} hitcount:')
        if name.strip() in names and count:
            total += int(count.split()[0])
    with open(TRIGGER + 'trigger', 'w', encoding='ascii') as trigger:
        trigger.write('!' + HIST)
    print(f'{total / (time.monotonic() - begin):.1f}')


def run(times, *program):
    """What the command says the last time is in /run/bench.out."""
    out = (os.POSIX_SPAWN_OPEN, 1, '/run/bench.out', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    wall, cpu = [], []
    for _ in range(int(times)):
        begin = time.monotonic()
        pid = os.posix_spawn(program[0], program, os.environ, file_actions=[out])
        _, status, usage = os.wait4(pid, 0)
        wall.append((time.monotonic() - begin) * 1000)
        cpu.append((usage.ru_utime + usage.ru_stime) * 1000)
        if status != 0:
            sys.exit(f'status {status} of {program}')
    print(f'{median(wall):.1f}', f'{median(cpu):.1f}')


def replies(times, command):
    print(f'{median(reply_ms(command) for _ in range(int(times))):.1f}')


def reply_ms(command):
    begin = time.monotonic()
    if not ask(command):
        sys.exit(f'no answer to {command}')
    return (time.monotonic() - begin) * 1000


def latency(pid, times, *commands):
    took, cpu = [], []
    for command in list(commands) * int(times):
        before = cpu_ms(int(pid))
        took.append(reply_ms(command))
        cpu.append(cpu_ms(int(pid)) - before)
    print(f'{median(took):.1f} {max(took):.1f} {max(cpu):.1f}')


def reconfigure(pid, seconds):
    before = cpu_ms(int(pid))
    if ask('reconfigure').strip() != 'ok':
        sys.exit('reconfigure was refused')
    time.sleep(int(seconds))
    print(f'{cpu_ms(int(pid)) - before:.1f}')


def states(host):
    return glob.glob(f'/sys/class/scsi_device/{host}:*/device/state')


def host_fails(paths):
    """The host of the disk that comes last; its disks are back when this ends."""
    host = max(int(os.path.basename(disk).split(':')[0]) for disk in glob.glob('/sys/class/scsi_disk/*'))
    begin = time.monotonic()
    for path in states(host):
        put(path, 'offline')
    wait(lambda: paths_in('failed', 'faulty') == int(paths))
    print(f'{time.monotonic() - begin:.2f}')
    for path in states(host):
        put(path, 'running')
    wait(lambda: paths_in('failed', 'faulty') == 0)


MODES = {
    'start': start, 'steady': steady, 'switches': switches, 'reconfigure': reconfigure, 'hostfails': host_fails, 'run': run,
    'replies': replies, 'latency': latency,
}
MODES[sys.argv[1]](*sys.argv[2:])
