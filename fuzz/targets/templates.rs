//! Templates and expressions: no text breaks what reads them, and a value that is written is not read again.
#![no_main]

use std::sync::LazyLock;

use fan::fuzzing::model::template::{self, Builtins, Layer, Scope, Syntax, Templates};
use libfuzzer_sys::fuzz_target;

const SECRET: &str = "{{ 6 * 7 }}{% raw %}";

static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| {
    Templates::new(&Builtins::default())
});

fuzz_target!(|text: &str| {
    let serde_json::Value::Object(vars) = serde_json::json!({
        "v": SECRET, "n": 5, "list": ["a b", 1, null, true], "map": {"k": "x", "z": [1, 2]}, "no": null, "f": 1.5,
    }) else {
        unreachable!()
    };
    let scope = Scope::new().with(Layer::new(&vars));
    for syntax in [Syntax::Text, Syntax::Shell] {
        let names = template::names(text, syntax);
        let _ = template::paths(text, syntax);
        let checked = template::check(text, syntax);
        assert!(names.is_ok() || checked.is_err(), "{text:?}");
        if let Ok(names) = names {
            for name in names {
                let _ = template::place(text, syntax, &name);
            }
        }
    }
    let _ = template::doubtful(text);
    let rendered = TEMPLATES.render_text(text, &scope);
    if rendered.is_ok() {
        assert!(template::check(text, Syntax::Text).is_ok(), "{text:?} is refused, but can be rendered");
    }
    if TEMPLATES.render_script(text, &scope).is_ok() {
        assert!(template::check(text, Syntax::Shell).is_ok(), "{text:?} is refused, but can be rendered");
    }
    let _ = TEMPLATES.eval_bool(text, &scope);
    let _ = TEMPLATES.eval_value(text, &scope);
    // No template has a NUL byte: no command line carries one.
    if !text.contains(['{', '#', '%', '\0']) {
        assert_eq!(rendered.as_deref(), Ok(text));
        assert_eq!(
            TEMPLATES.render_text(&format!("{text}{{{{ v }}}}"), &scope),
            Ok(format!("{text}{SECRET}"))
        );
    }
});
