#!/usr/bin/env python3
"""Machines of a Terraform (or OpenTofu) state: grouped by resource and module. Needs terraform, or TERRAFORM=tofu.

Run it in the folder of the configuration, or set TF_CHDIR to it.
"""
import json, os, re, subprocess, sys

# Kinds of resources that are machines, and where their addresses are, the first that is set.
MACHINES = {
    "aws_instance": ["public_ip", "private_ip"],
    "azurerm_linux_virtual_machine": ["public_ip_address", "private_ip_address"],
    "digitalocean_droplet": ["ipv4_address"],
    "hcloud_server": ["ipv4_address", "ipv6_address"],
    "google_compute_instance": ["network_interface.0.access_config.0.nat_ip", "network_interface.0.network_ip"],
    "openstack_compute_instance_v2": ["access_ip_v4", "access_ip_v6"],
    "proxmox_vm_qemu": ["default_ipv4_address", "ssh_host"],
    "vsphere_virtual_machine": ["default_ip_address"],
}


def at(value, path):
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) and len(value) > int(step) else \
            value.get(step) if isinstance(value, dict) else None
    return value


def resources(module):
    yield from ((module.get("address", ""), resource) for resource in module.get("resources", []))
    for child in module.get("child_modules", []):
        yield from resources(child)


command = [os.environ.get("TERRAFORM", "terraform")]
command += ["-chdir=" + os.environ["TF_CHDIR"]] if "TF_CHDIR" in os.environ else []
answer = subprocess.run(command + ["show", "-json"], stdout=subprocess.PIPE)
if answer.returncode:
    sys.exit(answer.returncode)  # it has said why
groups, hostvars = {}, {}
for module, resource in resources((json.loads(answer.stdout).get("values") or {}).get("root_module", {})):
    values = resource["values"]
    address = next(filter(None, (at(values, path) for path in MACHINES.get(resource["type"], []))), None)
    if resource["mode"] != "managed" or not address:
        continue
    tags = values.get("tags") if isinstance(values.get("tags"), dict) else {}
    name = (tags.get("Name") or values.get("name") or resource["address"])
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name if name not in hostvars else resource["address"]).strip("-")
    hostvars[name] = {"ansible_host": address, "terraform_address": resource["address"]}
    for group in [resource["type"], resource["name"]] + ([module] if module else []):
        members = groups.setdefault(re.sub(r"[^A-Za-z0-9_]", "_", group), {"hosts": []})["hosts"]
        members += [] if name in members else [name]
json.dump({**groups, "terraform": {"hosts": list(hostvars)}, "_meta": {"hostvars": hostvars}}, sys.stdout)
