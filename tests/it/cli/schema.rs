//! `fan schema`: JSON on standard output, and nothing else.

use crate::fixtures::support::Fan;

#[test]
fn each_format_is_printed_as_json() {
    for (format, key, required) in
        [("tasks", "tasks", "/required/0"), ("inventory", "hosts", "/anyOf/0/required/0")]
    {
        let ran = Fan::new().run(["schema", format]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        let schema: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
        assert_eq!(schema.pointer(required), Some(&key.into()));
        assert!(schema["properties"][key]["description"].is_string(), "{schema:#}");
    }
    assert_eq!(Fan::new().run(["schema", "nonsense"]).code, Some(2));
}
