//! Lists: taken together, apart, and as sets.

use std::collections::BTreeSet;

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Environment, Error, Value};

use crate::model::template::filters::given::{BoundedList, items_of, wrong};
use crate::model::template::problem::{MAX_ITEMS, ValueProblem};
use crate::model::template::value::to_json;

pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("flatten", flatten);
    environment.add_filter("union", |one: &Value, other: &Value| {
        set(one, other, "union", |_, _| true, |in_one| !in_one)
    });
    environment.add_filter("intersect", |one: &Value, other: &Value| {
        set(one, other, "intersect", |_, in_other| in_other, |_| false)
    });
    environment.add_filter("difference", |one: &Value, other: &Value| {
        set(one, other, "difference", |_, in_other| !in_other, |_| false)
    });
    environment.add_filter("symmetric_difference", |one: &Value, other: &Value| {
        set(one, other, "symmetric_difference", |_, in_other| !in_other, |in_one| !in_one)
    });
    environment.add_filter("zip_longest", zip_longest);
    environment.add_filter("product", product);
    environment.add_filter("subelements", subelements);
    environment.add_filter("extract", extract);
    environment.add_filter("batch", batch);
    environment.add_filter("slice", slice);
    environment.add_test("contains", |list: &Value, item: &Value| contains(list, item));
    for name in ["subset", "issubset"] {
        environment.add_test(name, |one: &Value, other: &Value| subset(one, other, "subset"));
    }
    for name in ["superset", "issuperset"] {
        environment.add_test(name, |one: &Value, other: &Value| subset(other, one, "superset"));
    }
    environment
        .add_test("all", |list: &Value| Ok::<_, Error>(items_of(list, "all")?.iter().all(Value::is_true)));
    environment
        .add_test("any", |list: &Value| Ok::<_, Error>(items_of(list, "any")?.iter().any(Value::is_true)));
}

/// What is the same of two values: their JSON.
fn key(value: &Value) -> Result<String, Error> {
    Ok(to_json(value)?.to_string())
}

fn keys(items: &[Value]) -> Result<BTreeSet<String>, Error> {
    items.iter().map(key).collect()
}

/// The items of `one` and then of `other` that are wanted, each once, in their order.
fn set(
    one: &Value,
    other: &Value,
    name: &str,
    of_one: impl Fn(bool, bool) -> bool,
    of_other: impl Fn(bool) -> bool,
) -> Result<Value, Error> {
    let (one, other) = (items_of(one, name)?, items_of(other, name)?);
    let (in_one, in_other) = (keys(&one)?, keys(&other)?);
    let mut seen = BTreeSet::new();
    let mut out = Vec::new();
    for item in one {
        let key = key(&item)?;
        if of_one(true, in_other.contains(&key)) && seen.insert(key) {
            out.push(item);
        }
    }
    for item in other {
        let key = key(&item)?;
        if of_other(in_one.contains(&key)) && seen.insert(key) {
            out.push(item);
        }
    }
    Ok(Value::from(out))
}

fn subset(part: &Value, whole: &Value, name: &str) -> Result<bool, Error> {
    let whole = keys(&items_of(whole, name)?)?;
    Ok(keys(&items_of(part, name)?)?.is_subset(&whole))
}

fn contains(list: &Value, item: &Value) -> Result<bool, Error> {
    if let (Some(text), Some(part)) = (list.as_str(), item.as_str()) {
        return Ok(text.contains(part));
    }
    match list.kind() {
        ValueKind::Map => {
            Ok(item.as_str().is_some_and(|name| list.get_attr(name).is_ok_and(|it| !it.is_undefined())))
        }
        _ => Ok(items_of(list, "contains")?.contains(item)),
    }
}

/// Takes lists out of lists, down to so many levels; without nulls, unless they are wanted.
fn flatten(value: &Value, levels: Option<usize>, options: Kwargs) -> Result<Value, Error> {
    let levels = levels.or(options.get("levels")?).unwrap_or(usize::MAX);
    let skip_nulls = options.get::<Option<bool>>("skip_nulls")?.unwrap_or(true);
    options.assert_all_used()?;
    let mut out = BoundedList::default();
    // From the last to the first: what is taken out of the end comes next.
    let mut open: Vec<(Value, usize)> =
        items_of(value, "flatten")?.into_iter().rev().map(|item| (item, 0)).collect();
    while let Some((item, depth)) = open.pop() {
        match item.kind() {
            ValueKind::Seq | ValueKind::Iterable if depth < levels => {
                let inner = items_of(&item, "flatten")?;
                if open.len().saturating_add(inner.len()) > MAX_ITEMS {
                    return Err(ValueProblem::TooMany.into());
                }
                open.extend(inner.into_iter().rev().map(|item| (item, depth + 1)));
            }
            ValueKind::None if skip_nulls => {}
            _ => out.push(item)?,
        }
    }
    Ok(out.finish())
}

fn zip_longest(value: &Value, others: Rest<Value>, options: Kwargs) -> Result<Value, Error> {
    let fill = options.get::<Option<Value>>("fillvalue")?.unwrap_or_else(|| Value::from(()));
    options.assert_all_used()?;
    let lists = std::iter::once(value).chain(others.iter());
    let lists = lists.map(|list| items_of(list, "zip_longest")).collect::<Result<Vec<_>, _>>()?;
    let rows = lists.iter().map(Vec::len).max().unwrap_or(0);
    if rows.saturating_mul(lists.len()) > MAX_ITEMS {
        return Err(ValueProblem::TooMany.into());
    }
    let row = |row: usize| {
        lists.iter().map(|list| list.get(row).cloned().unwrap_or_else(|| fill.clone())).collect::<Value>()
    };
    Ok((0..rows).map(row).collect())
}

/// Each item of the first list with each of the others.
fn product(value: &Value, others: Rest<Value>) -> Result<Value, Error> {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for list in std::iter::once(value).chain(others.iter()) {
        let items = items_of(list, "product")?;
        let cells = rows.len().saturating_mul(items.len()).saturating_mul(others.len() + 1);
        if cells > MAX_ITEMS {
            return Err(ValueProblem::TooMany.into());
        }
        rows = rows
            .iter()
            .flat_map(|row| items.iter().map(|item| row.iter().cloned().chain([item.clone()]).collect()))
            .collect();
    }
    Ok(rows.into_iter().map(Value::from).collect())
}

/// Each item with each item of a list that is in it.
fn subelements(value: &Value, path: &str, options: Kwargs) -> Result<Value, Error> {
    let skip_missing = options.get::<Option<bool>>("skip_missing")?.unwrap_or(false);
    options.assert_all_used()?;
    let outer = match value.kind() {
        ValueKind::Map => {
            let keys = value.try_iter()?.checked();
            keys.map(|key| key.and_then(|key| value.get_item(&key))).collect::<Result<Vec<_>, _>>()?
        }
        _ => items_of(value, "subelements")?,
    };
    let mut out = BoundedList::default();
    for item in outer {
        let inner = path.split('.').try_fold(item.clone(), |value, part| value.get_attr(part))?;
        if inner.is_undefined() && skip_missing {
            continue;
        }
        for element in items_of(&inner, "subelements")? {
            out.push(Value::from(vec![item.clone(), element]))?;
        }
    }
    Ok(out.finish())
}

/// The item of a list or map that a key names, and further down when there are more keys.
fn extract(key: &Value, container: &Value, more: Option<Value>) -> Result<Value, Error> {
    let found = container.get_item(key)?;
    let Some(more) = more else { return Ok(found) };
    let keys = match more.kind() {
        ValueKind::Seq | ValueKind::Iterable => items_of(&more, "extract")?,
        _ => vec![more],
    };
    keys.iter().try_fold(found, |value, key| value.get_item(key))
}

fn count(count: usize, name: &str) -> Result<usize, Error> {
    if (1..=MAX_ITEMS).contains(&count) {
        return Ok(count);
    }
    Err(wrong(format!("{name:?} takes a number from 1 to {MAX_ITEMS}")))
}

/// Lists of so many items each.
fn batch(value: &Value, size: usize, fill: Option<Value>) -> Result<Value, Error> {
    let size = count(size, "batch")?;
    let mut groups: Vec<Vec<Value>> = items_of(value, "batch")?.chunks(size).map(<[_]>::to_vec).collect();
    if let (Some(last), Some(fill)) = (groups.last_mut(), fill) {
        last.resize(size, fill);
    }
    Ok(groups.into_iter().map(Value::from).collect())
}

/// So many lists, as equally long as they can be.
fn slice(value: &Value, number: usize, fill: Option<Value>) -> Result<Value, Error> {
    let number = count(number, "slice")?;
    let items = items_of(value, "slice")?;
    let (each, longer) = (items.len() / number, items.len() % number);
    let mut rest = items.into_iter();
    let group = |index: usize| {
        let mut group: Vec<Value> = rest.by_ref().take(each + usize::from(index < longer)).collect();
        group.extend(fill.clone().filter(|_| index >= longer));
        Value::from(group)
    };
    Ok((0..number).map(group).collect())
}
