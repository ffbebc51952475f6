//! The scripts of docs/recipes/sources, on answers as the clouds' own programs give them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::fixtures::support::Fan;

/// Script, the program that it runs, words that it hands over, and each host with its address and its roles.
const RECIPES: [(&str, &str, &str, &[&str]); 6] = [
    (
        "aws",
        "aws",
        "ec2 describe-instances --output json --filters Name=instance-state-name,Values=running",
        &[
            "web-1 10.1.0.11 ec2,env_prod,zone_eu_central_1a",
            "web-1-i-0a2 10.1.0.12 ec2,env_prod,zone_eu_central_1b",
            "i-0b1 10.1.1.20 ec2,zone_eu_central_1a",
        ],
    ),
    (
        "hetzner",
        "hcloud",
        "server list -o json",
        &["web1 192.0.2.11 canary,env_prod,hetzner,location_fsn1", "db1 2001:db8:2::1 hetzner,location_nbg1"],
    ),
    (
        "openstack",
        "openstack",
        "server list --long -f json",
        &["web1 203.0.113.5 image_debian_12,openstack,prod,web", "web1-22bb 10.0.0.6 image_volume,openstack"],
    ),
    (
        "terraform",
        "terraform",
        "show -json",
        &[
            "web1 192.0.2.21 hcloud_server,terraform,web",
            "web2 192.0.2.22 hcloud_server,terraform,web",
            "db1 10.9.0.4 google_compute_instance,main,module_db,terraform",
        ],
    ),
    (
        "proxmox",
        "ssh",
        "-o BatchMode=yes -- pve1 pvesh get /cluster/resources --type vm --output-format json",
        &["dns1 - lxc,node_pve2,proxmox", "web1 - node_pve1,pool_shop,prod,proxmox,qemu,web"],
    ),
    (
        "kubernetes",
        "kubectl",
        "get nodes -o json",
        &["cp1 10.5.0.1 control_plane,kubernetes,ready,zone_a", "w1 w1 kubernetes,not_ready,worker"],
    ),
];

#[test]
fn each_script_makes_hosts_of_a_recorded_answer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("docs/recipes/README.md")).unwrap();
    for entry in fs::read_dir(root.join("docs/recipes/sources")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(list.contains(&format!("](sources/{name})")), "{name} is not in the list");
        assert!(RECIPES.iter().any(|(recipe, ..)| format!("{recipe}.py") == name), "{name} is not tested");
    }
    for (recipe, program, words, expected) in RECIPES {
        let answer = fs::read_to_string(root.join(format!("tests/data/recipes/{recipe}.json"))).unwrap();
        let fake = "#!/bin/sh\n[ ! -e broken ] || { echo 'no credentials' >&2; exit 4; }\necho \"$*\" >words\ncat answer\n";
        let fan = Fan::new().file(&format!("bin/{program}"), fake).file("answer", answer);
        fs::set_permissions(fan.work().join("bin").join(program), fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", fan.work().join("bin").display());
        let fan = fan.env("PATH", &path).env("PROXMOX_NODE", "pve1");
        let script = root.join(format!("docs/recipes/sources/{recipe}.py")).display().to_string();
        let ran = fan.run(["hosts", "--json", "-i", &script]);
        assert_eq!(ran.code, Some(0), "{recipe}: {}", ran.stderr);
        let hosts: Vec<serde_json::Value> = serde_json::from_str(&ran.stdout).unwrap();
        let shown: Vec<String> = hosts
            .iter()
            .map(|host| {
                let roles = host["roles"].as_array().unwrap().iter().map(|role| role.as_str().unwrap());
                let mut roles: Vec<&str> = roles.collect();
                roles.sort_unstable();
                let address = host["settings"]["address"]["value"].as_str().unwrap_or("-");
                format!("{} {address} {}", host["name"].as_str().unwrap(), roles.join(","))
            })
            .collect();
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        let expected = expected.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(sorted(shown), sorted(expected), "{recipe}");
        assert_eq!(fs::read_to_string(fan.work().join("words")).unwrap().trim(), words, "{recipe}");
        // When the cloud's program fails, its own words are what is told.
        fs::write(fan.work().join("broken"), "").unwrap();
        let ran = fan.run(["hosts", "-i", &script]);
        assert_eq!(ran.code, Some(2), "{recipe}");
        assert!(
            ran.stderr.contains("--list failed (exit status: 4): no credentials"),
            "{recipe}: {}",
            ran.stderr
        );
    }
}
