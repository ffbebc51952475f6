#!/usr/bin/env python3
"""asyncssh as a host: asyncssh_server.py FOLDER PORT

FOLDER holds the host key `host`, `authorized_keys` and the user's `home`.
"""

import asyncio
import os
import signal
import sys

import asyncssh

folder = os.path.abspath(sys.argv[1])
home = os.path.join(folder, "home")


async def feed(process, child):
    """Hands the input on, and signals."""
    while True:
        try:
            data = await process.stdin.read(65536)
        except asyncssh.SignalReceived as received:
            os.killpg(child.pid, getattr(signal, "SIG" + received.signal))
            continue
        if not data:
            break
        child.stdin.write(data)
        try:
            await child.stdin.drain()
        except OSError:
            break
    child.stdin.close()


async def drain(stream, to):
    while data := await stream.read(65536):
        to.write(data)
        await to.drain()


async def serve(process):
    """Runs a command as sshd does. There are no shells without one."""
    if process.command is None:
        process.exit(1)
        return
    child = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        process.command,
        cwd=home,
        env={**os.environ, **process.env, "HOME": home},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    feeding = asyncio.create_task(feed(process, child))
    await asyncio.gather(drain(child.stdout, process.stdout), drain(child.stderr, process.stderr))
    status = await child.wait()
    feeding.cancel()
    if status < 0:
        process.exit_with_signal(signal.Signals(-status).name[len("SIG") :])
    else:
        process.exit(status)


async def main():
    os.chdir(home)
    server = await asyncssh.listen(
        "127.0.0.1",
        int(sys.argv[2]),
        server_host_keys=[os.path.join(folder, "host")],
        authorized_client_keys=os.path.join(folder, "authorized_keys"),
        process_factory=serve,
        sftp_factory=asyncssh.SFTPServer,
        encoding=None,
    )
    await server.wait_closed()


asyncio.run(main())
