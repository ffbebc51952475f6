//! What Ansible has and fan has not, by its names: what to write instead.

/// For a filter; those that fan leaves out on purpose.
pub(super) fn filter(name: &str) -> Option<&'static str> {
    Some(match name.rsplit('.').next().unwrap_or(name) {
        "ipaddr" | "ipv4" | "ipv6" | "ipwrap" | "ipsubnet" | "nthhost" | "cidr_merge" => {
            "addresses are not calculated with: keep the parts in variables"
        }
        "password_hash" | "vault" | "unvault" => {
            "nothing is encrypted in a template: use a secret, or a command on the host"
        }
        "random" | "shuffle" | "random_mac" | "to_uuid" => {
            "a template gives the same each time: use a hash, or a command and \"register\""
        }
        "fileglob" | "realpath" | "expandvars" => {
            "a template looks at no disk: use a command and \"register\", or env('NAME')"
        }
        "strftime" | "to_datetime" => "use now(), or a command such as date and \"register\"",
        "json_query" | "jmespath" | "community" => {
            "write selectattr, map(attribute=...) and rejectattr, or run jq"
        }
        "from_yaml_all" => "write from_yaml for one document",
        "win_basename" | "win_dirname" | "win_splitdrive" => "paths are those of POSIX: basename, dirname",
        "pow" | "root" | "log" => "write x ** y",
        "permutations" | "combinations" => "write product",
        "urlize" | "xmlattr" | "striptags" | "forceescape" => "there is no HTML in fan",
        _ => return None,
    })
}

/// For a test.
pub(super) fn test(name: &str) -> Option<&'static str> {
    Some(match name.rsplit('.').next().unwrap_or(name) {
        "file" | "directory" | "link" | "exists" | "mount" | "same_file" | "is_file" | "is_dir" => {
            "a template looks at no disk: use a step \"stat: PATH\" with \"register\", then .exists and .type"
        }
        "started" | "finished" => "a step ends before the next one begins: there are no jobs to wait for",
        "unreachable" | "reachable" | "timedout" => "a host that is not reached runs no further steps",
        "vault_encrypted" | "vaulted_file" => "fan has secrets: see the docs on them",
        _ => return None,
    })
}

/// For a function.
pub(super) fn function(name: &str) -> Option<&'static str> {
    Some(match name {
        "lookup" | "query" | "q" => {
            "write env('NAME') for the environment, and \"secrets\" or a \"local\" step with \"register\" for files and commands"
        }
        "undef" => "write x | mandatory('message')",
        "url" | "uri" => "use a step \"wait_for: {http: URL}\"",
        _ => return None,
    })
}

/// For a lookup.
pub(super) fn lookup(name: &str) -> Option<&'static str> {
    Some(match name {
        "pipe" | "lines" => "run the command in a step \"local\" with \"register\"",
        "vars" | "varnames" => "write the variable's name, or hostvars[host][name]",
        "template" | "fileglob" | "first_found" | "filetree" | "csvfile" | "ini" | "unvault" => {
            "read the file in a step \"local\" with \"register\""
        }
        "password" | "hashi_vault" | "passwordstore" | "onepassword" | "bitwarden" | "keyring"
        | "aws_secret" | "aws_ssm" => {
            "make it a secret of fan's: {command: \"pass show NAME\"}, {env: NAME} or {file: PATH}"
        }
        "url" | "uri" => "fetch it in a step \"local\" with \"register\"",
        "dict" | "items" | "list" | "flattened" | "indexed_items" | "sequence" | "subelements" => {
            "write the filter: dict2items, flatten, subelements; or range()"
        }
        "config" => "write the value",
        _ => return None,
    })
}

/// For a variable.
pub(super) fn variable(name: &str) -> Option<&'static str> {
    Some(match name {
        "inventory_hostname" | "inventory_hostname_short" | "ansible_hostname" => "write host",
        "ansible_host" | "ansible_ssh_host" => "write address",
        "ansible_port" | "ansible_ssh_port" => "write port",
        "ansible_user" | "ansible_ssh_user" | "ansible_user_id" => "write user",
        "group_names" => "write roles",
        "ansible_play_hosts" | "ansible_play_hosts_all" | "ansible_play_batch" | "play_hosts" => {
            "write hosts"
        }
        "ansible_facts"
        | "ansible_distribution"
        | "ansible_os_family"
        | "ansible_architecture"
        | "ansible_fqdn"
        | "ansible_default_ipv4"
        | "ansible_memtotal_mb"
        | "ansible_processor_vcpus"
        | "ansible_kernel"
        | "ansible_date_time"
        | "ansible_distribution_version"
        | "ansible_distribution_major_version"
        | "ansible_distribution_release" => {
            "gather facts with a step \"facts: true\"; then facts.os.id and the like"
        }
        "omit" => "there is no omit: give a default that the key takes, or write two steps with \"when\"",
        "ansible_check_mode" => "what a dry run leaves out, it leaves out by itself",
        "ansible_loop" => "write item_index",
        "ansible_failed_result" | "ansible_failed_task" => "write failure, in \"rescue\"",
        "playbook_dir" | "role_path" | "inventory_dir" => {
            "relative paths begin at the folder of the tasks file"
        }
        "vars" => "write the variable's name, or hostvars[host][name]",
        _ => return None,
    })
}
