#!/usr/bin/env python3
"""Running guests of a Proxmox VE cluster: grouped by node, pool, tag and kind. Runs pvesh on one of its nodes by ssh.

PROXMOX_NODE is that node. Guests are reached by their names: Proxmox knows their addresses only from the guest agent.
"""
import json, os, re, subprocess, sys

pvesh = "pvesh get /cluster/resources --type vm --output-format json"
answer = subprocess.run(["ssh", "-o", "BatchMode=yes", "--", os.environ["PROXMOX_NODE"], pvesh],
                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
if answer.returncode:
    sys.exit(answer.returncode)  # it has said why
groups, hostvars = {}, {}
for guest in sorted(json.loads(answer.stdout), key=lambda guest: guest["vmid"]):
    if guest["status"] != "running" or guest.get("template"):
        continue
    name = guest.get("name") or f"{guest['type']}-{guest['vmid']}"
    hostvars[name] = {"proxmox_vmid": guest["vmid"], "proxmox_node": guest["node"]}
    own = [guest["type"], "node_" + guest["node"]]
    own += ["pool_" + guest["pool"]] if guest.get("pool") else []
    own += [tag for tag in re.split("[;, ]", guest.get("tags", "")) if tag]
    for group in own:
        groups.setdefault(re.sub(r"[^A-Za-z0-9_]", "_", group), {"hosts": []})["hosts"].append(name)
json.dump({**groups, "proxmox": {"hosts": list(hostvars)}, "_meta": {"hostvars": hostvars}}, sys.stdout)
