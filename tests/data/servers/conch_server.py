#!/usr/bin/env python3
"""Twisted's conch as a host, for root: conch_server.py FOLDER PORT

FOLDER holds the host key `host`, `authorized_keys` and the user's `home`.
"""

import os
import sys

from twisted.conch import avatar, checkers, unix
from twisted.conch.ssh import factory, keys
from twisted.cred import portal
from twisted.internet import reactor
from zope.interface import implementer

folder = os.path.abspath(sys.argv[1])
home = os.path.join(folder, "home")


class Home(str):
    """A path as commands want it, which are started in it, and as the files of some versions do, which ask for its `path`."""

    @property
    def path(self):
        return str(self)


class User(unix.UnixConchUser):
    """The user of this process, at home in the folder."""

    def getHomeDir(self):
        return Home(home)


@implementer(portal.IRealm)
class Realm:
    def requestAvatar(self, name, mind, *interfaces):
        user = User(name.decode())
        return interfaces[0], user, user.logout


host = keys.Key.fromFile(os.path.join(folder, "host"))
known = [keys.Key.fromFile(os.path.join(folder, "authorized_keys"))]
server = factory.SSHFactory()
server.privateKeys = {host.sshType(): host}
server.publicKeys = {host.sshType(): host.public()}
user = os.environ.get("USER", "root")
server.portal = portal.Portal(Realm(), [checkers.SSHPublicKeyChecker(checkers.InMemorySSHKeyDB({user.encode(): known}))])
reactor.listenTCP(int(sys.argv[2]), server, interface="127.0.0.1")
reactor.run()
