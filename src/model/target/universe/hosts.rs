//! All hosts and roles that an expression can mean, and what it means among them.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::inventory::{Host, Inventory, Role, address_of, is_ad_hoc};
use crate::model::name::check_address;
use crate::model::range;
use crate::model::range::{CidrBlock, PatternError, parse_ip};
use crate::model::target::outsider;
use crate::model::target::outsider::OutsiderLogin;
use crate::model::target::parse::{Atom, TargetItem, TargetOperator, TargetPattern};
use crate::model::target::universe::listed;

/// Indices of hosts; those past the inventory's are staged.
pub(in crate::model::target) type HostSet = BTreeSet<usize>;

/// May an expression name hosts that are in no inventory?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model::target) enum Outsiders {
    /// Yes: on the command line and in tasks.
    Welcome,
    /// It may not even name anything else: a list of hosts.
    Listed,
    /// No: a role's members are hosts of its inventory.
    Refused,
}

/// Is a pattern there to bring hosts in, or to choose among those that are?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model::target) enum Sense {
    /// It brings hosts in, outsiders too.
    Adding,
    /// It is the right side of `&` or `!`, or an exclusion.
    Refining,
}

/// Everything that patterns are held against.
pub(in crate::model::target) struct Universe<'a> {
    hosts: &'a [Host],
    pub(super) roles: &'a [Role],
    pub(super) outsiders: Outsiders,
    limit: usize,
    /// No host was read from an inventory, so that every name is an outsider's.
    pub(super) bare: bool,
    pub(super) by_name: HashMap<Arc<str>, usize>,
    by_ip: HashMap<IpAddr, Vec<usize>>,
    pub(super) by_role: HashMap<&'a str, usize>,
    /// `None` for a role that is not known well, so that no error should follow from it.
    members: Vec<Option<Cow<'a, [usize]>>>,
    lists: Option<&'a BTreeMap<String, Vec<usize>>>,
    staged: Staged,
    pub(super) guesses_left: Cell<u32>,
}

/// What a selection will change in the inventory if all goes well.
#[derive(Default)]
pub(in crate::model::target) struct Staged {
    hosts: Vec<Host>,
    logins: BTreeMap<usize, OutsiderLogin>,
}

impl<'a> Universe<'a> {
    pub(in crate::model::target) fn new(
        hosts: &'a [Host],
        roles: &'a [Role],
        outsiders: Outsiders,
        limit: usize,
    ) -> Self {
        let mut universe = Self {
            hosts,
            roles,
            outsiders,
            limit,
            bare: hosts.iter().all(is_ad_hoc),
            by_name: HashMap::with_capacity(hosts.len()),
            by_ip: HashMap::new(),
            by_role: roles.iter().enumerate().map(|(index, role)| (role.name.as_str(), index)).collect(),
            members: vec![None; roles.len()],
            lists: None,
            staged: Staged::default(),
            guesses_left: Cell::new(GUESSES),
        };
        for (index, host) in hosts.iter().enumerate() {
            universe.index(index, host);
        }
        universe
    }

    pub(in crate::model::target) fn set_members(
        &mut self,
        role: usize,
        members: impl Into<Cow<'a, [usize]>>,
    ) {
        if let Some(slot) = self.members.get_mut(role) {
            *slot = Some(members.into());
        }
    }

    /// The lists that were read, with their hosts.
    pub(in crate::model::target) fn set_lists(&mut self, lists: &'a BTreeMap<String, Vec<usize>>) {
        self.lists = Some(lists);
    }

    /// The hosts of a part of a list.
    pub(in crate::model::target) fn listed(&mut self, atom: &Atom) -> Result<HostSet, PatternError> {
        match &atom.pattern {
            TargetPattern::Names { login, names } => self.names(names, login, atom, Sense::Adding),
            TargetPattern::Block(_) => self.names(&atom.text, &OutsiderLogin::default(), atom, Sense::Adding),
            TargetPattern::All | TargetPattern::Role(_) | TargetPattern::List(_) | TargetPattern::Glob(_) => {
                let message = format!("\"{}\" in a list of hosts", atom.text);
                Err(PatternError::at(1, message)
                    .help("a list names each host: web1, web[1-3], user@10.0.0.1:22"))
            }
        }
    }

    pub(in crate::model::target) fn role_index(&self, name: &str) -> Option<usize> {
        self.by_role.get(name).copied()
    }

    pub(in crate::model::target) fn into_staged(self) -> Staged {
        self.staged
    }

    /// The union of the items less the negated ones.
    ///
    /// `base` belongs to the union; without one an item that is not negated is needed. Errors come with the index
    /// that stands beside their item.
    pub(in crate::model::target) fn evaluate(
        &mut self,
        items: &[(usize, TargetItem)],
        base: Option<HostSet>,
        sense: Sense,
        errors: &mut Vec<(usize, PatternError)>,
    ) -> HostSet {
        if base.is_none()
            && items.iter().all(|(_, item)| item.negated)
            && let Some((index, item)) = items.first()
        {
            let text = &item.first.text;
            let error = PatternError::at(item.first.column, format!("nothing to subtract \"{text}\" from"));
            errors.push((*index, error.help(format!("write all,!{text}"))));
            return HostSet::new();
        }
        let errors_before = errors.len();
        let mut union = base.unwrap_or_default();
        for (index, item) in items.iter().filter(|(_, item)| !item.negated) {
            union.extend(self.item(item, sense, |error| errors.push((*index, error))));
        }
        // What is taken away may be an outsider that only a good item brings in.
        if errors.len() == errors_before {
            let mut removed = HostSet::new();
            for (index, item) in items.iter().filter(|(_, item)| item.negated) {
                removed.extend(self.item(item, Sense::Refining, |error| errors.push((*index, error))));
            }
            union.retain(|host| !removed.contains(host));
        }
        union
    }

    fn item(&mut self, item: &TargetItem, sense: Sense, mut report: impl FnMut(PatternError)) -> HostSet {
        let mut matches = |universe: &mut Self, atom: &Atom, sense| {
            universe.matches(atom, sense).unwrap_or_else(|error| {
                report(error.within(atom.column));
                HostSet::new()
            })
        };
        let mut hosts = matches(self, &item.first, sense);
        for (operator, atom) in &item.rest {
            let other = matches(self, atom, Sense::Refining);
            match operator {
                TargetOperator::And => hosts.retain(|host| other.contains(host)),
                TargetOperator::Without => hosts.retain(|host| !other.contains(host)),
            }
        }
        hosts
    }

    fn matches(&mut self, atom: &Atom, sense: Sense) -> Result<HostSet, PatternError> {
        match &atom.pattern {
            TargetPattern::All if self.bare => {
                Err(PatternError::at(1, format!("\"all\": {NO_INVENTORY}")).help(WITHOUT_INVENTORY))
            }
            TargetPattern::All => Ok(self.own().map(|(index, _)| index).collect()),
            TargetPattern::Role(name) => self.role(name),
            TargetPattern::List(name) => match self.lists.and_then(|lists| lists.get(name)) {
                Some(hosts) => Ok(hosts.iter().copied().collect()),
                None => {
                    let message = format!("\"{}\": files of hosts are read for -H and -x only", atom.text);
                    Err(PatternError::at(1, message)
                        .help("name the hosts here, or make them a role of the inventory"))
                }
            },
            TargetPattern::Glob(globs) => {
                let matches = |host: &Host| {
                    globs.is_match(host.name.as_str())
                        || (is_ad_hoc(host) && globs.is_match(address_of(host)))
                };
                let matching = self.everyone().filter(|(_, host)| matches(host)).map(|(index, _)| index);
                let found: HostSet = matching.filter(|&index| self.is_candidate(index, sense)).collect();
                if found.is_empty() { Err(self.unmatched(&atom.text, sense)) } else { Ok(found) }
            }
            TargetPattern::Block(block) => self.block(block, atom, sense),
            TargetPattern::Names { login, names } => self.names(names, login, atom, sense),
        }
    }

    fn role(&self, name: &str) -> Result<HostSet, PatternError> {
        match self.role_index(name).and_then(|index| self.members.get(index)) {
            Some(Some(members)) if members.is_empty() => {
                Err(PatternError::at(1, format!("role \"{name}\" has no hosts")))
            }
            Some(members) => Ok(members.iter().flat_map(|members| members.iter().copied()).collect()),
            None => self.roles_below(name).ok_or_else(|| self.unknown_role(name)),
        }
    }

    /// `*`: the hosts that have a role. `racks:*`: those of all groups of this source of clush's.
    fn roles_below(&self, name: &str) -> Option<HostSet> {
        // While roles are still being read, some have no hosts yet.
        let source = name.strip_suffix('*').filter(|_| self.outsiders != Outsiders::Refused)?;
        let is_below = |role: &str| match source {
            "" => !role.contains(':'),
            source => source.ends_with(':') && role.starts_with(source),
        };
        let roles = self.by_role.iter().filter(|(role, _)| is_below(role));
        let members = roles.filter_map(|(_, &index)| self.members.get(index)?.as_ref());
        let found: HostSet = members.flat_map(|members| members.iter().copied()).collect();
        (!found.is_empty()).then_some(found)
    }

    fn block(&mut self, block: &CidrBlock, atom: &Atom, sense: Sense) -> Result<HostSet, PatternError> {
        let found: HostSet = (self.by_ip.iter())
            .filter(|(address, _)| block.contains(**address))
            .flat_map(|(_, hosts)| hosts.iter().copied())
            .filter(|&index| self.is_candidate(index, sense))
            .collect();
        if !found.is_empty() {
            return Ok(found);
        }
        if self.bare && sense == Sense::Adding && self.outsiders == Outsiders::Welcome {
            return self.names(&atom.text, &OutsiderLogin::default(), atom, sense);
        }
        Err(PatternError::at(1, format!("no host of the inventory has an address in {}", atom.text)))
    }

    fn names(
        &mut self,
        names: &str,
        login: &OutsiderLogin,
        atom: &Atom,
        sense: Sense,
    ) -> Result<HostSet, PatternError> {
        if !login.is_empty() && self.outsiders == Outsiders::Refused {
            return Err(PatternError::at(1, format!("\"{}\" cannot be a member of a role", atom.text))
                .help("add the host under hosts: and write its name here"));
        }
        let mut found = HostSet::new();
        let mut missing = Vec::new();
        let limit = self.limit.max(self.hosts.len());
        for name in range::expand(names, limit)? {
            if !self.known(&name, login, sense, &mut found)? {
                if self.may_stage(&name, login, sense) {
                    found.insert(self.stage(&name, login, atom.column)?);
                } else {
                    missing.push(name);
                }
            }
        }
        match missing.as_slice() {
            [] => Ok(found),
            _ if found.is_empty() => Err(self.unmatched(&atom.text, sense)),
            _ => {
                let message = format!("\"{}\" names hosts that are not in the inventory", atom.text);
                let listed = listed::listed(missing.iter().map(String::as_str), missing.len());
                Err(PatternError::at(1, message)
                    .help(format!("missing: {listed}; a glob matches whatever exists")))
            }
        }
    }

    /// Looks for hosts under a name or an address; says whether there were any.
    ///
    /// With a user or a port only the name counts: several hosts may share an address and differ in just these.
    fn known(
        &mut self,
        name: &str,
        login: &OutsiderLogin,
        sense: Sense,
        found: &mut HostSet,
    ) -> Result<bool, PatternError> {
        let exact = |name: &str| self.by_name.get(name).copied();
        let own = exact(name).filter(|&index| self.get(index).is_some_and(|host| !is_ad_hoc(host)));
        if let Some(index) = own {
            found.insert(index);
            if sense == Sense::Adding && !login.is_empty() {
                self.override_login(index, login, name)?;
            }
            return Ok(true);
        }
        if let Some(index) = exact(&outsider::name_of(name, login)) {
            found.insert(index);
            return Ok(true);
        }
        if !login.is_empty() {
            return Ok(false);
        }
        let here: Vec<usize> = match parse_ip(name) {
            Some(ip) => {
                let hosts = self.by_ip.get(&ip.to_canonical()).into_iter().flatten().copied();
                hosts.filter(|&index| self.is_candidate(index, sense)).collect()
            }
            None if sense == Sense::Refining => {
                let outsiders = self.everyone().filter(|(_, host)| is_ad_hoc(host));
                outsiders.filter(|(_, host)| address_of(host) == name).map(|(index, _)| index).collect()
            }
            None => Vec::new(),
        };
        found.extend(&here);
        Ok(!here.is_empty())
    }

    fn override_login(
        &mut self,
        index: usize,
        login: &OutsiderLogin,
        name: &str,
    ) -> Result<(), PatternError> {
        match self.staged.logins.insert(index, login.clone()) {
            Some(other) if other != *login => {
                let message = format!("{name} is given with two logins, and a host has one per run");
                Err(PatternError::at(1, message))
            }
            _ => Ok(()),
        }
    }

    fn may_stage(&self, name: &str, login: &OutsiderLogin, sense: Sense) -> bool {
        let welcome = match self.outsiders {
            Outsiders::Listed => true,
            Outsiders::Welcome => self.bare || !login.is_empty() || parse_ip(name).is_some(),
            Outsiders::Refused => false,
        };
        sense == Sense::Adding && welcome
    }

    fn stage(&mut self, address: &str, login: &OutsiderLogin, column: u32) -> Result<usize, PatternError> {
        // An IP address is a good one; whether its end is a port was asked when it was read.
        if parse_ip(address).is_none() {
            check_address(address).map_err(|message| PatternError::at(1, message))?;
        }
        if self.staged.hosts.len() >= self.limit {
            let message =
                format!("more than {} hosts of no inventory (raise it with --max-hosts)", self.limit);
            return Err(PatternError::at(1, message));
        }
        let index = self.hosts.len() + self.staged.hosts.len();
        let host = outsider::host(address, login.clone(), column);
        self.index(index, &host);
        self.staged.hosts.push(host);
        Ok(index)
    }

    fn index(&mut self, index: usize, host: &Host) {
        self.by_name.entry(Arc::clone(&host.name.0)).or_insert(index);
        if let Some(ip) = parse_ip(address_of(host)) {
            self.by_ip.entry(ip.to_canonical()).or_default().push(index);
        }
    }

    fn get(&self, index: usize) -> Option<&Host> {
        match index.checked_sub(self.hosts.len()) {
            None => self.hosts.get(index),
            Some(staged) => self.staged.hosts.get(staged),
        }
    }

    pub(super) fn everyone(&self) -> impl Iterator<Item = (usize, &Host)> {
        self.hosts.iter().chain(&self.staged.hosts).enumerate()
    }

    fn own(&self) -> impl Iterator<Item = (usize, &Host)> {
        self.everyone().filter(|(_, host)| !is_ad_hoc(host))
    }

    /// Outsiders cannot be brought in by what describes them, an address or a glob: one that an earlier selection
    /// admitted is not in the inventory of the next.
    fn is_candidate(&self, index: usize, sense: Sense) -> bool {
        sense == Sense::Refining || self.get(index).is_some_and(|host| !is_ad_hoc(host))
    }
}

impl Staged {
    /// Brings the selected outsiders into the inventory and gives the selected hosts their logins; returns the
    /// selection as indices into the inventory's hosts.
    pub(in crate::model::target) fn admit(self, inventory: &mut Inventory, selected: &HostSet) -> Vec<usize> {
        let known = inventory.hosts.len();
        for (index, login) in self.logins {
            if selected.contains(&index)
                && let Some(host) = inventory.hosts.get_mut(index)
            {
                login.apply(Arc::make_mut(&mut host.settings));
            }
        }
        let mut indices: Vec<usize> = selected.range(..known).copied().collect();
        for (offset, host) in self.hosts.into_iter().enumerate() {
            if selected.contains(&(known + offset)) {
                indices.push(inventory.hosts.len());
                inventory.hosts.push(host);
            }
        }
        indices
    }
}

/// What is wrong where there is no inventory to look into.
pub const NO_INVENTORY: &str = "no inventory.yaml here or in a folder above";

/// What to do about it.
pub const WITHOUT_INVENTORY: &str =
    "name one with -i FILE, begin one with `fan init`, or name hosts outright: -H web1,deploy@192.0.2.7";

/// Unmatched words that are compared with every name there is; a long list of them would take minutes.
pub(in crate::model::target::universe) const GUESSES: u32 = 50;
