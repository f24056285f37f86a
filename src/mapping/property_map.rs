//! Properties by name, as a publication has them.

use std::collections::BTreeMap;
use std::ops::Index;

use super::{Name, Value};

/// Values by name, each name once, in the order of the names: what a `BTreeMap` is, but in one list. A message has a few dozen, is
/// made once and read some times; a tree's nodes and walks cost several times as much.
///
/// To put in very many one by one takes time that grows with their square: collect them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PropertyMap {
    /// In order of the names.
    all: Vec<(Name, Value)>,
}

/// The order of two names. Most differ in the first byte.
pub(super) fn order(one: &str, other: &str) -> std::cmp::Ordering {
    one.as_bytes().first().cmp(&other.as_bytes().first()).then_with(|| one.cmp(other))
}

impl PropertyMap {
    /// None.
    pub const fn new() -> Self {
        Self { all: Vec::new() }
    }

    /// Of a list that is in order, each name once.
    pub(super) fn of_sorted(all: Vec<(Name, Value)>) -> Self {
        debug_assert!(all.is_sorted_by(|(one, _), (other, _)| one < other), "in order, each name once");
        Self { all }
    }

    /// The place of a name, or where it would be.
    fn find(&self, name: &str) -> Result<usize, usize> {
        match self.all.last() {
            Some((last, _)) if order(last, name).is_lt() => Err(self.all.len()),
            _ => self.all.binary_search_by(|(known, _)| order(known, name)),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.all.get(self.find(name).ok()?).map(|(_, value)| value)
    }

    /// Whether there is one of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// Sets it; gives back the value that it had.
    pub fn insert(&mut self, name: Name, value: Value) -> Option<Value> {
        match self.find(&name) {
            Ok(at) => self.all.get_mut(at).map(|(_, was)| std::mem::replace(was, value)),
            Err(at) => {
                self.all.insert(at, (name, value));
                None
            }
        }
    }

    /// Takes it away.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.find(name).ok().map(|at| self.all.remove(at).1)
    }

    /// Takes away those that `keep` does not want.
    pub fn retain(&mut self, mut keep: impl FnMut(&Name, &mut Value) -> bool) {
        self.all.retain_mut(|(name, value)| keep(name, value));
    }

    /// Names and values in order.
    pub fn iter(&self) -> Iter<'_> {
        self.all.iter().map(|(name, value)| (name, value))
    }

    /// The names in order.
    pub fn keys(&self) -> impl Iterator<Item = &Name> {
        self.all.iter().map(|(name, _)| name)
    }

    /// The values in order of the names.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.all.iter().map(|(_, value)| value)
    }
}

/// Names and values in order.
type Iter<'a> = std::iter::Map<std::slice::Iter<'a, (Name, Value)>, fn(&'a (Name, Value)) -> (&'a Name, &'a Value)>;

impl Index<&str> for PropertyMap {
    type Output = Value;

    /// # Panics
    /// Where there is none of this name.
    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or_else(|| panic!("no property {name:?}"))
    }
}

impl FromIterator<(Name, Value)> for PropertyMap {
    /// Of two of one name the later.
    fn from_iter<I: IntoIterator<Item = (Name, Value)>>(all: I) -> Self {
        let mut all: Vec<_> = all.into_iter().collect();
        if !all.is_sorted_by(|(one, _), (other, _)| order(one, other).is_lt()) {
            all.reverse();
            all.sort_by(|(one, _), (other, _)| order(one, other));
            all.dedup_by(|(one, _), (other, _)| one == other);
        }
        Self { all }
    }
}

impl<const N: usize> From<[(Name, Value); N]> for PropertyMap {
    fn from(all: [(Name, Value); N]) -> Self {
        all.into_iter().collect()
    }
}

impl From<BTreeMap<Name, Value>> for PropertyMap {
    fn from(all: BTreeMap<Name, Value>) -> Self {
        Self { all: all.into_iter().collect() }
    }
}

impl Extend<(Name, Value)> for PropertyMap {
    fn extend<I: IntoIterator<Item = (Name, Value)>>(&mut self, more: I) {
        *self = std::mem::take(&mut self.all).into_iter().chain(more).collect();
    }
}

impl IntoIterator for PropertyMap {
    type Item = (Name, Value);
    type IntoIter = std::vec::IntoIter<(Name, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

impl<'a> IntoIterator for &'a PropertyMap {
    type Item = (&'a Name, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// Whatever is done to it, it is what a map is.
        #[test]
        fn it_is_a_map(
            names in proptest::collection::vec("[ab]{0,3}", 0..12),
            others in proptest::collection::vec("[abc]{0,3}", 0..12),
        ) {
            let numbered = |names: &[String]| -> Vec<(Name, Value)> {
                names.iter().zip(0..).map(|(name, n)| (Name::from(name.clone()), Value::Int(n))).collect()
            };
            let mut list: PropertyMap = numbered(&names).into_iter().collect();
            let mut map: BTreeMap<Name, Value> = numbered(&names).into_iter().collect();
            proptest::prop_assert!(list.iter().eq(map.iter()));
            for (name, value) in numbered(&others) {
                proptest::prop_assert_eq!(list.get(name.as_ref()), map.get(name.as_ref()));
                proptest::prop_assert_eq!(list.contains_key(name.as_ref()), map.contains_key(name.as_ref()));
                if value == Value::Int(3) {
                    proptest::prop_assert_eq!(list.remove(name.as_ref()), map.remove(name.as_ref()));
                } else {
                    proptest::prop_assert_eq!(list.insert(name.clone(), value.clone()), map.insert(name, value));
                }
                proptest::prop_assert!(list.iter().eq(map.iter()));
            }
            list.extend(numbered(&names));
            map.extend(numbered(&names));
            proptest::prop_assert!(list.keys().eq(map.keys()) && list.values().eq(map.values()));
            list.retain(|name, _| name.len() > 1);
            map.retain(|name, _| name.len() > 1);
            proptest::prop_assert_eq!(list.len(), map.len());
            proptest::prop_assert_eq!(&list, &PropertyMap::from(map.clone()));
            proptest::prop_assert!(list.into_iter().eq(map));
        }
    }
}
