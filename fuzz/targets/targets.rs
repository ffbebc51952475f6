//! Target expressions: no host twice, and those that were selected are selected again by their names.
#![no_main]

use fan::fuzzing::config::load_inventory_text;
use fan::fuzzing::model::target::{select, select_within};
use fan_fuzz::words;
use libfuzzer_sys::fuzz_target;

const INVENTORY: &str = "
roles:
  web: {hosts: ['web[1-6]']}
  db: {hosts: [db1, db2, 10.0.0.5]}
  all_web: {roles: [web]}
hosts:
  'web[1-5]': {}
  web6: {user: deploy, port: 2222}
  'db[1-2]': {}
  '10.0.0.[1-5]': {}
  '::1': {}
";

const WORDS: &[&str] = &[
    "web",
    "db",
    "all",
    "web1",
    "web[1-3]",
    "web[1-",
    "]",
    "10.0.0.0/30",
    "10.0.0.",
    "/",
    "::1",
    "[::1]:22",
    ",",
    ",",
    "!",
    "&",
    ":",
    "@",
    "deploy@",
    "*",
    "?",
    "[",
    "(",
    ")",
    "~",
    "1",
    "2",
    "-",
    "%",
    "all_web",
    " ",
    "^",
    "other",
    ".",
    "999999999",
    "[01-10]",
    "[a-c]",
    "/24",
    "é",
    "\t",
];

fuzz_target!(|bytes: &[u8]| {
    let Ok(loaded) = load_inventory_text("inventory.yaml", INVENTORY) else {
        panic!("the inventory is a good one")
    };
    let mut inventory = loaded.value;
    let (include, exclude) = bytes.split_at(bytes.len() * 2 / 3);
    let (include, exclude) = (words(include, WORDS), words(exclude, WORDS));
    let excluded: Vec<&str> = if exclude.is_empty() { Vec::new() } else { vec![exclude.as_str()] };
    let before = inventory.hosts.len();
    let Ok(selected) = select_within(&mut inventory, &[include.as_str()], &excluded, 500) else {
        assert_eq!(inventory.hosts.len(), before, "an error leaves the inventory as it was");
        return;
    };
    assert!(selected.is_sorted_by(|one, next| one < next), "{include:?}: {selected:?}");
    assert!(selected.iter().all(|&host| host < inventory.hosts.len()), "{include:?}: {selected:?}");
    if !selected.is_empty() {
        let all = select(&mut inventory, &["all"], &[]).expect("there are hosts");
        assert!(all.len() <= inventory.hosts.len());
    }
});
