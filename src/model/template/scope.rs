//! The variables that a template sees. Owns their layers and how a name is found; refuses to know which layer
//! holds what.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectExt, ObjectRepr};

use crate::model::template::doubt;
use crate::model::template::record::{of_json, of_json_ref};
use crate::model::template::value::to_json;
use crate::model::value::{Value as Json, Vars};

/// One level of variables, converted once and shared by every scope that has it.
#[derive(Clone, Default)]
pub struct Layer(Arc<IndexMap<String, Value>>);

impl Layer {
    /// Takes over the variables. Costs time in proportion to their size; a clone of the layer costs none.
    pub fn new(vars: &Vars) -> Self {
        Self(Arc::new(vars.iter().map(|(name, value)| (name.clone(), of_json_ref(value))).collect()))
    }

    /// Adds variables, or replaces those of their names. The others are shared with the clones that there are, not copied.
    pub fn define(&mut self, vars: Vars) {
        let values = vars.into_iter().map(|(name, value)| (name, of_json(value)));
        Arc::make_mut(&mut self.0).extend(values);
    }

    /// The same with those of another layer.
    pub fn take_over(&mut self, other: &Self) {
        Arc::make_mut(&mut self.0).extend(other.0.iter().map(|(name, value)| (name.clone(), value.clone())));
    }

    /// Some of its variables, by their names.
    #[must_use]
    pub fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let some = self.0.iter().filter(|(name, _)| wanted(name));
        Self(Arc::new(some.map(|(name, value)| (name.clone(), value.clone())).collect()))
    }

    /// Whether it has no variables.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes these variables ones that cannot be known.
    pub fn doubt<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let values = names.into_iter().map(|name| (name.to_owned(), doubt::value()));
        Arc::make_mut(&mut self.0).extend(values);
    }

    /// Adds the variables of another layer that this one lacks.
    #[must_use]
    pub fn over(self, below: &Self) -> Self {
        let mut all = below.clone();
        all.take_over(&self);
        all
    }

    /// Whether it is this very layer.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// A variable's value; none when there is none, or it is not known.
    pub fn value(&self, name: &str) -> Option<Json> {
        let value = self.0.get(name).filter(|value| !doubt::is_not_known(value))?;
        to_json(value).ok()
    }
}

/// Finds the variables of a host by its name.
pub type HostLookup = dyn Fn(&str) -> Option<Scope> + Send + Sync;

/// Variables of hosts by the hosts' names, looked up when a template asks for one.
struct Hosts {
    names: Arc<[String]>,
    lookup: Arc<HostLookup>,
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosts").field("names", &self.names).finish_non_exhaustive()
    }
}

impl Object for Hosts {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(Root::new(&(self.lookup)(key.as_str()?)?, None).into_value())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.mapped_enumerator(|hosts| Box::new(hosts.names.iter().map(|name| Value::from(name.as_str()))))
    }
}

/// Names in groups.
#[derive(Debug)]
struct RoleGroups(IndexMap<Arc<str>, GroupMembers>);

impl Object for RoleGroups {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?).cloned().map(Value::from_object)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.mapped_enumerator(|groups| Box::new(groups.0.keys().map(|name| Value::from(Arc::clone(name)))))
    }
}

/// The names in one group.
#[derive(Clone, Debug)]
struct GroupMembers {
    names: Arc<[Arc<str>]>,
    members: Arc<[usize]>,
}

impl Object for GroupMembers {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let member = self.members.get(key.as_usize()?)?;
        self.names.get(*member).map(|name| Value::from(Arc::clone(name)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.members.len())
    }
}

impl Layer {
    /// Variables that are something else than data: functions, and what is made when it is looked at.
    pub(super) fn of_objects(objects: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        Self(Arc::new(objects.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
    }

    /// A variable as templates have it.
    pub(super) fn object(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// One variable, whose items are the variables of hosts: `hostvars`.
    pub fn of_hosts(variable: &str, names: Arc<[String]>, lookup: Arc<HostLookup>) -> Self {
        let hosts = Value::from_object(Hosts { names, lookup });
        Self(Arc::new(IndexMap::from([(variable.to_owned(), hosts)])))
    }

    /// One variable, whose items are lists of names by their own name; each list has indices into all names. Shared, not
    /// copied, and a list is made when it is asked for.
    pub fn of_groups(variable: &str, names: Arc<[Arc<str>]>, groups: Vec<(Arc<str>, Arc<[usize]>)>) -> Self {
        let groups = groups.into_iter();
        let groups =
            groups.map(|(name, members)| (name, GroupMembers { names: Arc::clone(&names), members }));
        let groups = Value::from_object(RoleGroups(groups.collect()));
        Self(Arc::new(IndexMap::from([(variable.to_owned(), groups)])))
    }

    /// Whether it has a variable of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The names of its variables, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for Layer {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The variables of one host at one moment: layers, the highest looked up first.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    layers: Vec<Layer>,
}

impl Scope {
    /// A scope without variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a layer above all the others.
    #[must_use]
    pub fn with(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Its layers, the lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The names that can be looked up, the highest layer first; a name can come more than once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().rev().flat_map(|layer| layer.0.keys().map(String::as_str))
    }

    /// Finds the highest layer's value of a name.
    pub(super) fn get(&self, name: &str) -> Option<Value> {
        let value = self.layers.iter().rev().find_map(|layer| layer.0.get(name))?;
        doubt::note(name, value);
        Some(value.clone())
    }
}

/// The name under which a formatter finds what belongs to its rendering. No template can spell it.
const EXTRA: &str = "\0extra";

/// What MiniJinja looks names up in: a scope, and one value for the formatter.
#[derive(Clone, Debug)]
pub(super) struct Root {
    scope: Scope,
    extra: Option<Value>,
}

impl Root {
    /// A root over a scope, which is cheap to clone.
    pub(super) fn new(scope: &Scope, extra: Option<Value>) -> Self {
        Self { scope: scope.clone(), extra }
    }

    /// The variables.
    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The form that MiniJinja takes.
    pub(super) fn into_value(self) -> Value {
        Value::from_object(self)
    }

    /// Finds the formatter's value from within a rendering.
    pub(super) fn extra(state: &minijinja::State<'_, '_>) -> Option<Value> {
        state.lookup(EXTRA)
    }
}

impl Object for Root {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if key == EXTRA { self.extra.clone() } else { self.scope.get(key) }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.mapped_enumerator(|root| Box::new(root.scope.names().map(Value::from)))
    }
}
