"""A mail server for tests, on aiosmtpd: says its port, then each mail as a line of JSON, as python's own parser reads it."""

import argparse
import asyncio
import base64
import json
import ssl
import sys
from email import message_from_bytes, policy

from aiosmtpd.smtp import SMTP, AuthResult, Envelope

options = argparse.ArgumentParser()
options.add_argument("--security", default="none", choices=["none", "starttls", "tls"])
options.add_argument("--cert")
options.add_argument("--key")
options.add_argument("--login", help="NAME:PASSWORD")
options.add_argument("--refuse", action="append", default=[], help="a recipient")
options.add_argument("--later", action="append", default=[], help="a recipient that is refused for now")
options.add_argument("--refuse-mail", help="what is said to each mail")
options = options.parse_args()


def say(what):
    print(json.dumps(what), flush=True)


def parsed(part):
    """A part of a mail, and those in it."""
    if part.is_multipart():
        return {"type": part.get_content_type(), "parts": [parsed(inner) for inner in part.iter_parts()]}
    content = part.get_content()
    if isinstance(content, bytes):
        content = base64.b64encode(content).decode()
    return {"type": part.get_content_type(), "name": part.get_filename(), "content": content}


class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        say({"rcpt": address})
        if address in options.refuse:
            return "550 5.1.1 no such user here"
        if address in options.later:
            return "451 4.7.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope: Envelope):
        if options.refuse_mail:
            return options.refuse_mail
        mail = message_from_bytes(envelope.content, policy=policy.default)
        say({
            "mail": {
                "tls": server.transport.get_extra_info("ssl_object") is not None,
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "hello": session.host_name,
                "headers": [[name, str(value)] for name, value in mail.items()],
                "body": parsed(mail),
                "longest": max(len(line) for line in envelope.content.split(b"\r\n")),
            }
        })
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    login = f"{data.login.decode()}:{data.password.decode()}"
    say({"login": mechanism})
    return AuthResult(success=login == options.login, handled=True if login == options.login else False)


context = None
if options.cert:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.cert, options.key)


def protocol():
    return SMTP(
        Handler(),
        hostname="mail.example",
        tls_context=context if options.security == "starttls" else None,
        require_starttls=options.security == "starttls",
        authenticator=authenticate if options.login else None,
        auth_required=bool(options.login),
        auth_require_tls=options.security == "starttls",
        data_size_limit=40_000_000,
    )


async def serve():
    loop = asyncio.get_running_loop()
    tls = context if options.security == "tls" else None
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
    say({"port": server.sockets[0].getsockname()[1]})
    # Until whoever started it is gone.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(serve())
