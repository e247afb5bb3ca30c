//! An index over the services of a listener: from texts in a request to the services that it may mean.
//!
//! It only narrows. Whatever it yields is evaluated as if there were no index, so that conditions keep their one
//! meaning (`condition.rs`); what it leaves out would have said no. Made once for a configuration.

use std::collections::HashMap;
use std::sync::Arc;

use plan::Service;
use plan::pattern::Place;
use wire::{RequestHead, target};

use super::candidates::Found;
use super::key::{AnyOf, Key, Subject, keys, rank};
use super::table::Table;
use crate::condition::{Line, write_line};
use crate::scene::hosts;

/// Fewest services for which there is an index: below it a walk through all costs less.
const SERVICES_MIN: usize = 8;

/// How many services may share a key before field lines are looked at instead, which are most of a request.
const LINES_COST: usize = 16;

/// An index over the services of one listener.
#[derive(Debug)]
pub(crate) struct Index {
    /// Those that nothing is known about: always looked at.
    always: Box<[u32]>,
    host: Option<Table>,
    path: Option<Table>,
    /// A path may be asked for in its decoded form.
    decoded: bool,
    url: Option<Table>,
    line: Option<Table>,
}

impl Index {
    /// `None` where it is not worth it.
    pub(crate) fn new(services: &[Arc<Service>]) -> Option<Index> {
        let index = (services.len() >= SERVICES_MIN).then(|| Index::of(services))?;
        (index.always.len() < services.len()).then_some(index)
    }

    pub(super) fn of(services: &[Arc<Service>]) -> Index {
        let ways: Vec<Vec<AnyOf>> = services.iter().map(|service| keys(&service.condition)).collect();
        // How many services would share a key: the fewer, the better it tells them apart.
        let mut shared: HashMap<&Key, usize> = HashMap::new();
        for key in ways.iter().flatten().flatten() {
            *shared.entry(key).or_default() += 1;
        }
        let crowd = |any: &AnyOf| {
            let lines = any.iter().any(|key| key.subject == Subject::Line);
            let most = any.iter().map(|key| shared[key]).max().unwrap_or_default();
            if lines { most + LINES_COST } else { most }
        };
        let broad = |any: &AnyOf| any.iter().any(Key::is_broad);
        let mut always = Vec::new();
        let mut lists: HashMap<&Key, Vec<u32>> = HashMap::new();
        let enabled = services.iter().zip(&ways).enumerate().filter(|(_, (service, _))| !service.disabled);
        for (position, (_, ways)) in enabled {
            let position = position as u32;
            match ways.iter().min_by_key(|any| (broad(any), crowd(any), rank(any))) {
                None => always.push(position),
                Some(any) => any.iter().for_each(|key| lists.entry(key).or_default().push(position)),
            }
        }
        let table = |subject| {
            // One text may be looked for with and without decoding.
            let mut entries: HashMap<(Place, &[u8]), Vec<u32>> = HashMap::new();
            for (key, list) in lists.iter().filter(|(key, _)| key.subject == subject) {
                entries.entry((key.need.place, &key.need.text)).or_default().extend(list);
            }
            let entries = entries.into_iter().map(|((place, text), mut list)| {
                list.sort_unstable();
                list.dedup();
                (place, (text.into(), list.into()))
            });
            let entries: Vec<_> = entries.collect();
            (!entries.is_empty()).then(|| Table::new(entries))
        };
        Index {
            always: always.into(),
            host: table(Subject::Host),
            path: table(Subject::Path),
            decoded: lists.keys().any(|key| key.decoded),
            url: table(Subject::Url),
            line: table(Subject::Line),
        }
    }

    /// Finds the services that the request may mean; every other one's condition does not hold.
    pub(super) fn look<'i>(&'i self, request: &RequestHead, found: &mut Found<'i>) {
        found.add(&self.always);
        if let Some(table) = &self.host
            && let Some(hosts) = hosts(request)
        {
            hosts.each().for_each(|host| table.look(host, found));
        }
        if let Some(table) = &self.path {
            let path = request.path();
            table.look(path, found);
            if self.decoded && memchr::memchr(b'%', path).is_some() {
                table.look(&target::percent_decode(path), found);
            }
        }
        if let Some(table) = &self.url {
            table.look(request.target(), found);
        }
        if let Some(table) = &self.line {
            let mut line = Line::new();
            for (name, value) in request.fields().iter() {
                write_line(&mut line, name, value);
                table.look(&line, found);
            }
        }
    }
}

#[cfg(test)]
mod tests;
