#!/usr/bin/env python3
"""Active servers of an OpenStack project: grouped by image and by their property "group". Needs the openstack client.

OS_CLOUD chooses the project.
"""
import json, re, subprocess, sys

answer = subprocess.run(["openstack", "server", "list", "--long", "-f", "json"], stdout=subprocess.PIPE)
if answer.returncode:
    sys.exit(answer.returncode)  # it has said why
groups, hostvars = {}, {}
for server in json.loads(answer.stdout):
    addresses = [address for net in server["Networks"].values() for address in net]
    if server["Status"] != "ACTIVE" or not addresses:
        continue
    name = server["Name"] if server["Name"] not in hostvars else f"{server['Name']}-{server['ID']}"
    properties = server.get("Properties") or {}
    v4 = [address for address in addresses if ":" not in address]
    # The last one is the floating one, where there is one.
    hostvars[name] = {"ansible_host": (v4 or addresses)[-1], "addresses": addresses,
                      "openstack_id": server["ID"], "properties": properties}
    own = ["image_" + (server.get("Image Name") or "volume")]
    own += [group for group in properties.get("group", "").split(",") if group]
    for group in own:
        groups.setdefault(re.sub(r"[^A-Za-z0-9_]", "_", group), {"hosts": []})["hosts"].append(name)
json.dump({**groups, "openstack": {"hosts": list(hostvars)}, "_meta": {"hostvars": hostvars}}, sys.stdout)
