//! Where a step is done on each of its task's hosts: there, or on another one (`on`).

use std::sync::Arc;

/// A host that a step is handed to: an index into `Plan::delegates`; none for the host itself.
pub(crate) type StepPlace = Option<usize>;

/// Where a step is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Places {
    /// On the host itself.
    #[default]
    Here,
    /// For each host of the task at one place.
    Hosts(Arc<[StepPlace]>),
    /// For each host of the task at a place for each item of the loop.
    Items(Arc<[Arc<[StepPlace]>]>),
}

impl Places {
    /// Whether it is done where it stands, whatever the host.
    pub(crate) fn is_here(&self) -> bool {
        *self == Self::Here
    }

    /// Where it is done for the host at this position of the task, when that is one place.
    pub(crate) fn of_host(&self, position: usize) -> Option<StepPlace> {
        match self {
            Self::Here => Some(None),
            Self::Hosts(places) => Some(places.get(position).copied().flatten()),
            Self::Items(_) => None,
        }
    }

    /// Where it is done for that host and each item; none when that is one place.
    pub(crate) fn of_items(&self, position: usize) -> Option<&[StepPlace]> {
        match self {
            Self::Here | Self::Hosts(_) => None,
            Self::Items(places) => Some(places.get(position).map(AsRef::as_ref).unwrap_or_default()),
        }
    }

    /// All places of the host at this position.
    pub(crate) fn all(&self, position: usize) -> impl Iterator<Item = StepPlace> {
        let one = self.of_host(position);
        one.into_iter().chain(self.of_items(position).unwrap_or_default().iter().copied())
    }

    /// The same for the hosts at these positions, in their order.
    pub(crate) fn only(&self, positions: &[usize]) -> Self {
        match self {
            Self::Here => Self::Here,
            Self::Hosts(places) => {
                Self::Hosts(positions.iter().map(|&at| places.get(at).copied().flatten()).collect())
            }
            Self::Items(places) => {
                Self::Items(positions.iter().map(|&at| places.get(at).cloned().unwrap_or_default()).collect())
            }
        }
    }
}
