#!/usr/bin/env python3
"""paramiko as a host: paramiko_server.py FOLDER PORT

paramiko is a library: whoever builds a server of it writes the commands and the files. Written here is what most
write: files by path, no attributes of open files, and a rename that replaces nothing.

FOLDER holds the host key `host`, `authorized_keys` and the user's `home`.
"""

import os
import signal
import socket
import subprocess
import sys
import threading

import paramiko

folder = os.path.abspath(sys.argv[1])
home = os.path.join(folder, "home")
key = paramiko.Ed25519Key(filename=os.path.join(folder, "host"))
with open(os.path.join(folder, "authorized_keys")) as text:
    known = {line.split()[1] for line in text}


def errors(work):
    """Says an OSError as SFTP does."""

    def safely(*args):
        try:
            result = work(*args)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return paramiko.SFTP_OK if result is None else result

    return safely


class Files(paramiko.SFTPServerInterface):
    def canonicalize(self, path):
        return os.path.realpath(os.path.join(home, path))

    @errors
    def list_folder(self, path):
        names = os.listdir(path)
        return [paramiko.SFTPAttributes.from_stat(os.lstat(os.path.join(path, name)), name) for name in names]

    @errors
    def stat(self, path):
        return paramiko.SFTPAttributes.from_stat(os.stat(path))

    @errors
    def lstat(self, path):
        return paramiko.SFTPAttributes.from_stat(os.lstat(path))

    @errors
    def open(self, path, flags, attr):
        opened = os.open(path, flags, 0o666 if attr.st_mode is None else attr.st_mode)
        handle = paramiko.SFTPHandle(flags)
        handle.filename = path
        handle.readfile = handle.writefile = os.fdopen(opened, "wb" if flags & os.O_WRONLY else "rb")
        return handle

    @errors
    def remove(self, path):
        os.remove(path)

    @errors
    def rename(self, path, new):
        if os.path.lexists(new):
            return paramiko.SFTP_FAILURE
        os.rename(path, new)

    @errors
    def mkdir(self, path, attr):
        os.mkdir(path)
        if attr.st_mode is not None:
            os.chmod(path, attr.st_mode)

    @errors
    def rmdir(self, path):
        os.rmdir(path)

    @errors
    def chattr(self, path, attr):
        paramiko.SFTPServer.set_file_attr(path, attr)

    @errors
    def symlink(self, target, path):
        os.symlink(target, path)

    @errors
    def readlink(self, path):
        return os.readlink(path)


class Server(paramiko.ServerInterface):
    def get_allowed_auths(self, name):
        return "publickey"

    def check_auth_publickey(self, name, shown):
        return paramiko.AUTH_SUCCESSFUL if shown.get_base64() in known else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, number):
        return paramiko.OPEN_SUCCEEDED if kind == "session" else paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel, command):
        channel.command = command
        return True


def handle_request(channel, message):
    """Starts a command when its request has been answered: one that ends at once would close the channel before."""
    paramiko.Channel._handle_request(channel, message)
    command = channel.__dict__.pop("command", None)
    if command is not None:
        threading.Thread(target=run, args=(channel, command), daemon=True).start()


paramiko.Transport._channel_handler_table[paramiko.common.MSG_CHANNEL_REQUEST] = handle_request


def run(channel, command):
    """Runs a command as sshd does."""
    child = subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=home,
        env={**os.environ, "HOME": home},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )

    def feed():
        while data := channel.recv(32768):
            try:
                child.stdin.write(data)
                child.stdin.flush()
            except OSError:
                break
        try:
            child.stdin.close()
        except OSError:
            pass

    def drain(stream, send):
        while data := os.read(stream.fileno(), 32768):
            send(data)

    threading.Thread(target=feed, daemon=True).start()
    streams = [(child.stdout, channel.sendall), (child.stderr, channel.sendall_stderr)]
    threads = [threading.Thread(target=drain, args=both, daemon=True) for both in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    status = child.wait()
    # paramiko tells no signals.
    channel.send_exit_status(128 - status if status < 0 else status)
    channel.close()


def serve(client):
    transport = paramiko.Transport(client)
    transport.add_server_key(key)
    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
    channels = []
    try:
        transport.start_server(server=Server())
        while transport.is_active():
            # One that nobody holds is closed.
            channels.append(transport.accept(1))
    except (OSError, EOFError, paramiko.SSHException):
        transport.close()


os.chdir(home)
listener = socket.create_server(("127.0.0.1", int(sys.argv[2])), backlog=100)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
