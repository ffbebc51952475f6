//! Which strings are names of hosts, addresses, users, roles, tasks and variables, and why others are not.

/// Says why a string cannot be the name of a host, if it cannot.
pub fn check_host_name(_name: &str) -> Result<(), String> {
    Ok(())
}
