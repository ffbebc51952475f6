#!/usr/bin/env python3
"""Running EC2 instances as hosts: named by their Name tag, grouped by every tag and by zone. Needs the aws CLI.

AWS_PROFILE and AWS_REGION choose the account and the region.
"""
import json, re, subprocess, sys

ADDRESS = "PrivateIpAddress"  # or PublicIpAddress, PublicDnsName

answer = subprocess.run(
    ["aws", "ec2", "describe-instances", "--output", "json",
     "--filters", "Name=instance-state-name,Values=running"], stdout=subprocess.PIPE)
if answer.returncode:
    sys.exit(answer.returncode)  # it has said why
groups, hostvars = {}, {}
for reservation in json.loads(answer.stdout)["Reservations"]:
    for instance in reservation["Instances"]:
        tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
        name = re.sub(r"[^A-Za-z0-9._-]", "-", tags.pop("Name", "")) or instance["InstanceId"]
        if name in hostvars:  # the members of a scaling group share their name
            name += "-" + instance["InstanceId"]
        hostvars[name] = {"ansible_host": instance.get(ADDRESS) or instance["PrivateIpAddress"],
                          "instance_id": instance["InstanceId"], "instance_type": instance["InstanceType"],
                          "tags": tags}
        zone = instance["Placement"]["AvailabilityZone"]
        own = ["zone_" + zone] + [f"{key}_{value}" for key, value in tags.items() if not key.startswith("aws:")]
        for group in own:
            groups.setdefault(re.sub(r"[^A-Za-z0-9_]", "_", group), {"hosts": []})["hosts"].append(name)
json.dump({**groups, "ec2": {"hosts": list(hostvars)}, "_meta": {"hostvars": hostvars}}, sys.stdout)
