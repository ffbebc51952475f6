#!/usr/bin/env python3
"""Running servers of a Hetzner Cloud project: grouped by labels and location. Needs the hcloud CLI.

HCLOUD_TOKEN or `hcloud context use` chooses the project.
"""
import json, re, subprocess, sys

answer = subprocess.run(["hcloud", "server", "list", "-o", "json"], stdout=subprocess.PIPE)
if answer.returncode:
    sys.exit(answer.returncode)  # it has said why
groups, hostvars = {}, {}
for server in json.loads(answer.stdout):
    if server["status"] != "running":
        continue
    name, public = server["name"], server["public_net"]
    private = [network["ip"] for network in server.get("private_net") or []]
    v4, v6 = (public.get("ipv4") or {}).get("ip"), (public.get("ipv6") or {}).get("ip")
    # A server has a /64; its first address is the one that is set up.
    address = v4 or (v6.split("/")[0] + "1" if v6 else None) or private[0]
    hostvars[name] = {"ansible_host": address, "private_ips": private,
                      "server_type": server["server_type"]["name"], "labels": server["labels"]}
    place = server.get("location") or server["datacenter"]["location"]
    own = ["location_" + place["name"]]
    own += [f"{key}_{value}" if value else key for key, value in server["labels"].items()]
    for group in own:
        groups.setdefault(re.sub(r"[^A-Za-z0-9_]", "_", group), {"hosts": []})["hosts"].append(name)
json.dump({**groups, "hetzner": {"hosts": list(hostvars)}, "_meta": {"hostvars": hostvars}}, sys.stdout)
