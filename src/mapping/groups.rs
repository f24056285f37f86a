//! The properties in one element of a `usr` folder: groups in MQ's property names are elements in elements, `usr.a.b` is `<a><b>`.

use super::markup::Element;
use super::render;

/// Bytes of a property's name. A longer one stays in its folder, for the names of nested elements add up.
pub(super) const MAX_NAME: usize = 1024;

/// What an element holds.
#[derive(Debug, Default)]
pub(super) struct Properties<'e, 'a> {
    /// Name and element of each property, in order.
    pub(super) all: Vec<(String, &'e Element<'a>)>,
    /// Whether some have names that are too long, so that they are not among them.
    pub(super) too_long: bool,
    /// The first element that has text beside its elements.
    pub(super) mixed: Option<String>,
}

impl<'e, 'a> Properties<'e, 'a> {
    /// The properties of an element that stands directly in a `usr` folder.
    pub(super) fn of(element: &'e Element<'a>) -> Self {
        let mut found = Self::default();
        // Each name repeats those of its groups: a long one around many short ones would multiply what came.
        if !element.children.is_empty() && length_of_names(element, 0) > 1024 + 8 * weight(element) {
            found.too_long = true;
            return found;
        }
        let mut stack = vec![(render::restore_name(element.name), element)];
        while let Some((name, element)) = stack.pop() {
            if name.len() > MAX_NAME {
                found.too_long = true;
            } else if element.children.is_empty() {
                found.all.push((name, element));
            } else {
                let inner = element.children.iter().rev();
                stack.extend(inner.map(|child| (format!("{name}.{}", render::restore_name(child.name)), child)));
                if found.mixed.is_none() && !element.text.trim().is_empty() {
                    found.mixed = Some(name);
                }
            }
        }
        found
    }
}

/// Bytes of the names of all properties in an element.
fn length_of_names(element: &Element<'_>, groups: usize) -> usize {
    let length = groups + element.name.len();
    if element.children.is_empty() {
        return length;
    }
    element.children.iter().map(|child| length_of_names(child, length + 1)).sum()
}

/// Bytes that an element took, about.
fn weight(element: &Element<'_>) -> usize {
    let own = 4 + element.name.len() + element.text.len();
    own + element.children.iter().map(weight).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::markup;

    #[test]
    fn names_in_proportion() {
        let names = |text: &str| -> Option<Vec<String>> {
            let roots = markup::read(text, 10_000).expect(text);
            let found = Properties::of(&roots[0].element);
            (!found.too_long).then(|| found.all.into_iter().map(|(name, _)| name).collect())
        };
        assert_eq!(names("<a>1</a>"), Some(vec!["a".to_owned()]));
        assert_eq!(names("<a><b/><c_x0020_><d/></c_x0020_></a>"), Some(vec!["a.b".to_owned(), "a.c .d".to_owned()]));
        let long = "x".repeat(1000);
        assert!(names(&format!("<{long}>1</{long}>")).is_some());
        assert!(names(&format!("<{long}><a/><b/></{long}>")).is_some());
        assert_eq!(names(&format!("<{long}>{}</{long}>", "<a/>".repeat(100))), None);
        assert_eq!(names(&format!("<g><{long}><{long}>1</{long}></{long}></g>")), None);
    }
}
