//! Variables as a file has them: each with the place where it was written.

use crate::model::position::Position;
use crate::model::value::{Value, Vars};

/// The variables of one part of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WrittenVars {
    values: Vars,
    /// One for each, in the same order.
    places: Vec<Position>,
}

impl WrittenVars {
    /// Adds one, or writes over it.
    pub fn insert(&mut self, name: String, value: Value, at: Position) {
        match self.values.keys().position(|known| *known == name) {
            Some(index) => {
                if let Some(place) = self.places.get_mut(index) {
                    *place = at;
                }
            }
            None => self.places.push(at),
        }
        self.values.insert(name, value);
    }

    /// Takes one out.
    pub fn remove(&mut self, name: &str) -> Option<(Value, Position)> {
        let index = self.values.keys().position(|known| known == name)?;
        let value = self.values.shift_remove(name)?;
        (index < self.places.len()).then(|| (value, self.places.remove(index)))
    }

    /// Writes others over these.
    pub fn extend(&mut self, others: Self) {
        for ((name, value), at) in others.values.into_iter().zip(others.places) {
            self.insert(name, value, at);
        }
    }

    /// The values by name, in the order in which they were written.
    pub fn values(&self) -> &Vars {
        &self.values
    }

    /// Each with its place.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value, &Position)> {
        self.values.iter().zip(&self.places).map(|((name, value), at)| (name.as_str(), value, at))
    }
}

#[cfg(test)]
impl From<Vars> for WrittenVars {
    fn from(values: Vars) -> Self {
        let places = vec![Position::new("inventory.yaml", 1, 1); values.len()];
        Self { values, places }
    }
}
