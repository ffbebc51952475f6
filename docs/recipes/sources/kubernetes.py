#!/usr/bin/env python3
"""The nodes of a Kubernetes cluster: grouped by role, zone and readiness. Needs kubectl.

KUBECONFIG and KUBE_CONTEXT choose the cluster.
"""
import json, os, re, subprocess, sys

context = ["--context", os.environ["KUBE_CONTEXT"]] if "KUBE_CONTEXT" in os.environ else []
answer = subprocess.run(["kubectl", *context, "get", "nodes", "-o", "json"], stdout=subprocess.PIPE)
if answer.returncode:
    sys.exit(answer.returncode)  # it has said why
ROLE = "node-role.kubernetes.io/"
groups, hostvars = {}, {}
for node in json.loads(answer.stdout)["items"]:
    name, labels = node["metadata"]["name"], node["metadata"].get("labels", {})
    addresses = {address["type"]: address["address"] for address in node["status"]["addresses"]}
    ready = any(it["type"] == "Ready" and it["status"] == "True" for it in node["status"]["conditions"])
    hostvars[name] = {"ansible_host": addresses.get("InternalIP") or addresses.get("ExternalIP") or name,
                      "kubelet": node["status"]["nodeInfo"]["kubeletVersion"],
                      "cordoned": node["spec"].get("unschedulable", False)}
    roles = [label[len(ROLE):] for label in labels if label.startswith(ROLE) and label != ROLE]
    own = (roles or ["worker"]) + ["ready" if ready else "not_ready"]
    own += ["zone_" + labels["topology.kubernetes.io/zone"]] if "topology.kubernetes.io/zone" in labels else []
    for group in own:
        groups.setdefault(re.sub(r"[^A-Za-z0-9_]", "_", group), {"hosts": []})["hosts"].append(name)
json.dump({**groups, "kubernetes": {"hosts": list(hostvars)}, "_meta": {"hostvars": hostvars}}, sys.stdout)
