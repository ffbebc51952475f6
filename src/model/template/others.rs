//! The variables of an inventory's hosts, as templates in variables see those of others (`hostvars`): each is filled in
//! when one looks at it, and once. Owns circles and depth across hosts; refuses to know where variables come from.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectExt, ObjectRepr};

use crate::model::template::expand::{
    MAX_DEPTH, TemplateDialect, VariableProblem, VariableSurroundings, expand_one, has_template,
};
use crate::model::template::problem::ValueProblem;
use crate::model::template::record::of_json_ref;
use crate::model::template::scope::Layer;
use crate::model::template::templates::Templates;
use crate::model::value::{Value as Json, Vars};

/// The variable whose items are hosts.
const HOST_VARS: &str = "hostvars";

thread_local! {
    /// What is being filled in, of which host, the outermost first.
    static OPEN: RefCell<Vec<(Arc<str>, String)>> = const { RefCell::new(Vec::new()) };
}

/// A host before its templates are filled in.
pub(crate) struct UnfilledHost {
    /// Its variables.
    pub(crate) vars: Vars,
    /// What these stand on.
    pub(crate) below: Vec<Layer>,
    /// What stands above them.
    pub(crate) above: Vec<Layer>,
}

/// Tells what is known of a host.
pub(crate) type HostDescriber = dyn Fn(&str) -> Option<UnfilledHost> + Send + Sync;

/// All hosts.
pub(crate) struct OtherHosts {
    templates: Arc<Templates>,
    names: Arc<[Arc<str>]>,
    dialect: TemplateDialect,
    describe: Box<HostDescriber>,
    hosts: Mutex<HashMap<Arc<str>, Arc<UnfilledHost>>>,
    filled: Mutex<HashMap<(Arc<str>, String), Json>>,
}

impl fmt::Debug for OtherHosts {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherHosts").field("names", &self.names).finish_non_exhaustive()
    }
}

/// Whether a template in these variables looks at other hosts.
pub(crate) fn looks_at_others(vars: &Vars) -> bool {
    fn any(value: &Json) -> bool {
        match value {
            Json::String(text) => text.contains(HOST_VARS) && has_template(value),
            Json::Array(items) => items.iter().any(any),
            Json::Object(map) => map.values().any(any),
            Json::Null | Json::Bool(_) | Json::Number(_) => false,
        }
    }
    vars.values().any(any)
}

/// The variable `hostvars` over these hosts.
pub(crate) fn layer(
    templates: Arc<Templates>,
    names: Arc<[Arc<str>]>,
    dialect: TemplateDialect,
    describe: Box<HostDescriber>,
) -> Layer {
    let (hosts, filled) = (Mutex::default(), Mutex::default());
    layer_of(&Arc::new(OtherHosts { templates, names, dialect, describe, hosts, filled }))
}

fn layer_of(hosts: &Arc<OtherHosts>) -> Layer {
    Layer::of_objects([(HOST_VARS, Value::from_dyn_object(Arc::clone(hosts)))])
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OtherHosts {
    fn host(&self, name: &str) -> Option<(Arc<str>, Arc<UnfilledHost>)> {
        if let Some((name, known)) = locked(&self.hosts).get_key_value(name) {
            return Some((Arc::clone(name), Arc::clone(known)));
        }
        let (name, host) = (Arc::<str>::from(name), Arc::new((self.describe)(name)?));
        locked(&self.hosts).insert(Arc::clone(&name), Arc::clone(&host));
        Some((name, host))
    }

    /// Fills in a variable that has a template.
    fn filled(
        self: &Arc<Self>,
        name: &Arc<str>,
        host: &UnfilledHost,
        variable: &str,
    ) -> Result<Json, VariableProblem> {
        let key = (Arc::clone(name), variable.to_owned());
        if let Some(known) = locked(&self.filled).get(&key) {
            return Ok(known.clone());
        }
        let open = OPEN.with_borrow(Clone::clone);
        let shown = |(host, variable): &(Arc<str>, String)| format!("{variable} of {host}");
        if let Some(start) = open.iter().position(|at| *at == key) {
            let way: Vec<String> = open.iter().skip(start).chain([&key]).map(shown).collect();
            return Err(VariableProblem::new(format!("variable cycle: {}", way.join(" → "))));
        }
        if open.len() >= MAX_DEPTH {
            let first = open.first().map(shown).unwrap_or_default();
            let message = format!("{first} builds on variables of other hosts more than {MAX_DEPTH} deep");
            return Err(VariableProblem::new(message));
        }
        OPEN.with_borrow_mut(|open| open.push(key.clone()));
        let below: Vec<Layer> = host.below.iter().cloned().chain([layer_of(self)]).collect();
        let surroundings =
            VariableSurroundings { templates: &self.templates, below: &below, above: &host.above };
        let result = expand_one(surroundings, &host.vars, variable, self.dialect);
        OPEN.with_borrow_mut(|open| drop(open.pop()));
        if let Ok(value) = &result {
            locked(&self.filled).insert(key, value.clone());
        }
        result
    }
}

impl Object for OtherHosts {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let (name, host) = self.host(key.as_str()?)?;
        Some(Value::from_object(OtherHost { all: Arc::clone(self), name, host }))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.mapped_enumerator(|it| Box::new(it.names.iter().map(|name| Value::from(Arc::clone(name)))))
    }
}

/// One of them.
#[derive(Debug)]
struct OtherHost {
    all: Arc<OtherHosts>,
    name: Arc<str>,
    host: Arc<UnfilledHost>,
}

impl fmt::Debug for UnfilledHost {
    /// No values: they may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnfilledHost").finish_non_exhaustive()
    }
}

impl Object for OtherHost {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let variable = key.as_str()?;
        let UnfilledHost { vars, below, above } = &*self.host;
        if let Some(value) = above.iter().rev().find_map(|layer| layer.object(variable)) {
            return Some(value.clone());
        }
        match vars.get(variable) {
            Some(value) if has_template(value) => {
                Some(match self.all.filled(&self.name, &self.host, variable) {
                    Ok(value) => of_json_ref(&value),
                    Err(VariableProblem { message, help, .. }) => {
                        let message = format!("{message} (of host {})", self.name);
                        Value::from(minijinja::Error::from(ValueProblem::Elsewhere { message, help }))
                    }
                })
            }
            Some(value) => Some(of_json_ref(value)),
            None => below.iter().rev().find_map(|layer| layer.object(variable)).cloned(),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.mapped_enumerator(|it| Box::new(it.host.vars.keys().map(|name| Value::from(name.as_str()))))
    }
}
