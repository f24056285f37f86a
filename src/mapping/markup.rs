//! A tolerant reader of the XML-like text in MQRFH2 folders and in map and stream bodies.
//!
//! Not an XML parser, on purpose: what IBM's own JMS client writes is not well-formed. Names of map entries stand unescaped
//! in their attribute (`<elt name="<x>&"'">`), control characters stand raw, and `xsi:nil` has no declaration (wire reference,
//! observed, O), so a strict parser refuses real messages. This one takes one pass and no recursion, caps depth and number of
//! elements, knows no DTD and no entities but the five of XML and numeric ones; what it still cannot read is an error for
//! the caller, who then keeps the text as it is.

use std::borrow::Cow;
use std::ops::Range;

use super::render::is_plain_byte;

/// One element with what was inside it; of the text that it was read from, wherever that says it as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its name, prefix included.
    pub name: &'a str,
    /// Attributes in order, unescaped.
    pub attributes: Attributes<'a>,
    /// The text directly inside, unescaped, blanks kept.
    pub text: Cow<'a, str>,
    /// The elements directly inside, in order.
    pub children: Vec<Element<'a>>,
}

impl<'a> Element<'a> {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)
    }

    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Element<'a>> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Whether `xsi:nil` says that the value is null; the prefix is never declared, so any prefix will do.
    pub fn is_nil(&self) -> bool {
        match &self.attributes {
            Attributes::None | Attributes::Dt(_) => false,
            Attributes::Many(all) => all
                .iter()
                .any(|(name, value)| name.rsplit(':').next() == Some("nil") && matches!(value.trim(), "true" | "1")),
        }
    }
}

/// Attributes in order. Nearly all elements have none, or a `dt` alone, which takes no memory of its own.
#[derive(Clone, Debug, Default, Eq)]
pub enum Attributes<'a> {
    /// None.
    #[default]
    None,
    /// `dt`, and its value.
    Dt(&'a str),
    /// Names and values.
    Many(Vec<(&'a str, Cow<'a, str>)>),
}

impl<'a> Attributes<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Dt(_) => 1,
            Self::Many(all) => all.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &str)> {
        let (dt, many) = match self {
            Self::None => (None, None),
            Self::Dt(value) => (Some(("dt", *value)), None),
            Self::Many(all) => (None, Some(all)),
        };
        dt.into_iter().chain(many.into_iter().flatten().map(|(name, value)| (*name, value.as_ref())))
    }

    /// The value of the first of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        match self {
            Self::Dt(value) => (name == "dt").then_some(*value),
            _ => self.iter().find(|(known, _)| *known == name).map(|(_, value)| value),
        }
    }

    /// The same, to be kept beyond these; of the text that it was read from, wherever that says it as it is.
    pub fn copied(&self, name: &str) -> Option<Cow<'a, str>> {
        match self {
            Self::None => None,
            Self::Dt(value) => (name == "dt").then_some(Cow::Borrowed(*value)),
            Self::Many(all) => all.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()),
        }
    }

    fn push(&mut self, name: &'a str, value: Cow<'a, str>) {
        match (&mut *self, value) {
            (Self::None, Cow::Borrowed(value)) if name == "dt" => *self = Self::Dt(value),
            (Self::None, value) => *self = Self::Many(vec![(name, value)]), // room for one: few have more
            (Self::Dt(dt), value) => *self = Self::Many(vec![("dt", Cow::Borrowed(*dt)), (name, value)]),
            (Self::Many(all), value) => all.push((name, value)),
        }
    }
}

impl PartialEq for Attributes<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Text that is not even nearly a sequence of elements.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at character offset {offset}")]
pub struct Unreadable {
    /// Offset in bytes of the decoded text.
    pub offset: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// An element that stands in no other, with the text that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root<'a> {
    /// The element.
    pub element: Element<'a>,
    /// Its text, from `<` to `>`.
    pub text: &'a str,
}

/// Elements inside elements, deepest.
pub const MAX_DEPTH: usize = 32;

/// Reads a sequence of elements, blanks and byte order marks between them ignored.
/// Takes one pass; refuses more than `max_elements` elements and more than [`MAX_DEPTH`] levels.
///
/// # Errors
/// Where the text is not readable even with tolerance.
pub fn read(text: &str, max_elements: usize) -> Result<Vec<Root<'_>>, Unreadable> {
    let mut reader = Reader::of(text);
    reader.read(max_elements)?;
    Ok(reader.done)
}

/// Reads many texts, one after the other, in the same memory.
#[derive(Default)]
pub(super) struct Readings<'a> {
    open: Vec<Element<'a>>,
    done: Vec<Root<'a>>,
}

impl<'a> Readings<'a> {
    /// As [`read`].
    ///
    /// # Errors
    /// As [`read`].
    pub(super) fn read(
        &mut self,
        text: &'a str,
        max_elements: usize,
    ) -> Result<std::vec::Drain<'_, Root<'a>>, Unreadable> {
        self.open.clear();
        self.done.clear();
        let (open, done) = (std::mem::take(&mut self.open), std::mem::take(&mut self.done));
        let mut reader = Reader { open, done, ..Reader::of(text) };
        let read = reader.read(max_elements);
        (self.open, self.done) = (reader.open, reader.done);
        read.map(|()| self.done.drain(..))
    }
}

/// The one root of this text without the elements directly inside it, which are given to `see` one by one and not kept: there may
/// be very many. None: it has not one root.
///
/// # Errors
/// As [`read`].
pub(super) fn each_child<'a>(
    text: &'a str,
    max_elements: usize,
    see: &mut dyn FnMut(Element<'a>),
) -> Result<Option<Element<'a>>, Unreadable> {
    let mut reader = Reader { see: Some(see), ..Reader::of(text) };
    reader.read(max_elements)?;
    Ok(reader.done.pop().filter(|_| reader.done.is_empty()).map(|root| root.element))
}

/// Where the elements directly inside the one root of this text stand: byte ranges, in order. None: it has not one root.
pub(super) fn children(text: &str, max_elements: usize) -> Option<(Element<'_>, Vec<Range<usize>>)> {
    let mut reader = Reader { children: Some(Vec::new()), ..Reader::of(text) };
    reader.read(max_elements).ok()?;
    let root = reader.done.pop().filter(|_| reader.done.is_empty())?;
    Some((root.element, reader.children.unwrap_or_default()))
}

struct Reader<'a, 's> {
    text: &'a str,
    at: usize,
    open: Vec<Element<'a>>,
    root_at: usize,
    done: Vec<Root<'a>>,
    /// Start of the child of the root that is being read.
    child_at: usize,
    children: Option<Vec<Range<usize>>>,
    /// Takes the children of the root instead of the root.
    see: Option<&'s mut dyn FnMut(Element<'a>)>,
}

impl<'a> Reader<'a, '_> {
    fn of(text: &'a str) -> Self {
        Self { text, at: 0, root_at: 0, open: Vec::new(), done: Vec::new(), child_at: 0, children: None, see: None }
    }

    fn read(&mut self, max_elements: usize) -> Result<(), Unreadable> {
        let mut elements = 0;
        while let Some(rest) = self.text.get(self.at..).filter(|rest| !rest.is_empty()) {
            if !rest.starts_with('<') {
                self.characters(rest)?;
            } else if let Some(inside) = rest.strip_prefix("</") {
                self.end_tag(inside)?;
            } else if let Some(inside) = rest.strip_prefix("<!--") {
                self.at += 4 + self.until(inside, "-->", "comment without an end")? + 3;
            } else if let Some(inside) = rest.strip_prefix("<![CDATA[") {
                let length = self.until(inside, "]]>", "CDATA without an end")?;
                let literal = inside.get(..length).unwrap_or_default();
                self.append(literal.into())?;
                self.at += 9 + length + 3;
            } else if let Some(inside) = rest.strip_prefix("<?") {
                self.at += 2 + self.until(inside, "?>", "processing instruction without an end")? + 2;
            } else if rest.chars().nth(1).is_none_or(|c| c.is_whitespace() || matches!(c, '<' | '>' | '!' | '=')) {
                if rest.starts_with("<!") {
                    return Err(self.error("a declaration"));
                }
                self.append("<".into())?; // a bare less-than sign in text
                self.at += 1;
            } else {
                elements += 1;
                if elements > max_elements {
                    return Err(self.error("too many elements"));
                }
                self.start_tag()?;
            }
        }
        if !self.open.is_empty() {
            return Err(self.error("an element without an end"));
        }
        Ok(())
    }

    fn error(&self, what: &'static str) -> Unreadable {
        Unreadable { offset: self.at, what }
    }

    fn until(&self, inside: &str, end: &str, what: &'static str) -> Result<usize, Unreadable> {
        inside.find(end).ok_or(self.error(what))
    }

    /// Text between tags; `rest` begins with it.
    fn characters(&mut self, rest: &'a str) -> Result<(), Unreadable> {
        let length = rest.find('<').unwrap_or(rest.len());
        let raw = rest.get(..length).unwrap_or_default();
        let text = unescape(raw).ok_or(self.error("a character reference that is no character"))?;
        self.append(text)?;
        self.at += length;
        Ok(())
    }

    fn append(&mut self, text: Cow<'a, str>) -> Result<(), Unreadable> {
        match self.open.last_mut() {
            Some(element) if element.text.is_empty() => element.text = text,
            Some(element) => element.text.to_mut().push_str(&text),
            None if text.chars().all(|c| c.is_whitespace() || c == '\u{feff}' || c == '\0') => {}
            None => return Err(self.error("text outside of any folder")),
        }
        Ok(())
    }

    fn end_tag(&mut self, inside: &str) -> Result<(), Unreadable> {
        // As nearly all are: the name that is open, and nothing else.
        if let Some(open) = self.open.last()
            && inside.strip_prefix(open.name).is_some_and(|rest| rest.starts_with('>'))
            && let Some(element) = self.open.pop()
        {
            self.at += 2 + element.name.len() + 1;
            self.close(element);
            return Ok(());
        }
        let length = self.until(inside, ">", "an end tag without an end")?;
        let name = inside.get(..length).unwrap_or_default().trim_end();
        let Some(element) = self.open.pop().filter(|element| element.name == name) else {
            return Err(self.error("an end tag that does not fit"));
        };
        self.at += 2 + length + 1;
        self.close(element);
        Ok(())
    }

    fn close(&mut self, element: Element<'a>) {
        if let (1, Some(children)) = (self.open.len(), &mut self.children) {
            children.push(self.child_at..self.at);
        }
        if let (1, Some(see)) = (self.open.len(), &mut self.see) {
            see(element);
            return;
        }
        let depth = self.open.len();
        match self.open.last_mut() {
            Some(parent) => {
                // As many as there is room for in the text, if all are as long as the first; not for each of very many folders.
                if parent.children.is_empty() && depth == 1 && self.done.len() < 8 {
                    let (length, left) = (self.at - self.child_at, self.text.len() - self.at);
                    parent.children.reserve((1 + left / length.max(16)).min(11));
                }
                parent.children.push(element);
            }
            None => {
                let text = self.text.get(self.root_at..self.at).unwrap_or_default();
                self.done.push(Root { element, text });
            }
        }
    }

    fn start_tag(&mut self) -> Result<(), Unreadable> {
        match self.open.len() {
            0 => self.root_at = self.at,
            1 => self.child_at = self.at,
            _ => {}
        }
        let mut tag = Tag { text: self.text, at: self.at + 1 };
        let name = tag.name();
        if name.is_empty() {
            return Err(self.error("an element without a name"));
        }
        let mut element = Element { name, ..Element::default() };
        loop {
            tag.skip_blanks();
            let rest = tag.rest();
            if rest.starts_with("/>") {
                self.at = tag.at + 2;
                self.close(element);
                return Ok(());
            }
            if rest.starts_with('>') {
                if self.open.len() >= MAX_DEPTH {
                    return Err(self.error("elements nested too deep"));
                }
                self.at = tag.at + 1;
                if let Some((text, length)) = leaf(self.text.get(self.at..).unwrap_or_default(), name) {
                    element.text = Cow::Borrowed(text);
                    self.at += length;
                    self.close(element);
                    return Ok(());
                }
                break;
            }
            let attribute = tag.plain_attribute().or_else(|| tag.attribute());
            let attribute = attribute.ok_or(self.error("a tag that cannot be read"))?;
            if element.attributes.len() >= 16 {
                return Err(self.error("too many attributes"));
            }
            element.attributes.push(attribute.0, attribute.1);
        }
        self.open.push(element);
        Ok(())
    }
}

/// What stands up to the end tag of this name, where it is text without references, and how long that is with the tag.
fn leaf<'a>(inside: &'a str, name: &str) -> Option<(&'a str, usize)> {
    let end = inside.bytes().position(|b| matches!(b, b'<' | b'&'))?;
    let (text, rest) = inside.split_at_checked(end)?;
    rest.strip_prefix("</")?.strip_prefix(name)?.starts_with('>').then_some((text, end + 2 + name.len() + 1))
}

/// Reads inside one start tag.
struct Tag<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tag<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = rest.get(..rest.find(|c| !keep(c)).unwrap_or(rest.len())).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    /// The name of an element: up to a blank, `/` or `>`.
    fn name(&mut self) -> &'a str {
        let rest = self.rest();
        let plain = rest.bytes().position(|b| !is_plain_byte(b)).unwrap_or(rest.len());
        match rest.as_bytes().get(plain) {
            Some(b'>' | b' ' | b'/') => {
                self.at += plain;
                rest.get(..plain).unwrap_or_default()
            }
            _ => self.take_while(|c| !c.is_whitespace() && c != '/' && c != '>'),
        }
    }

    fn skip_blanks(&mut self) {
        if self.rest().bytes().next().is_none_or(|b| b != b'>') {
            self.take_while(char::is_whitespace);
        }
    }

    /// An attribute as IBM's client writes it behind a name, `dt='i4'>`: letters, digits and dots, and then the tag's end. Any
    /// other is for [`Self::attribute`], which reads this one as it is read here.
    fn plain_attribute(&mut self) -> Option<(&'a str, Cow<'a, str>)> {
        let inside = self.rest().strip_prefix("dt='")?;
        let length = inside.bytes().take(16).position(|b| !(b.is_ascii_alphanumeric() || b == b'.'))?;
        let value = inside.get(..length)?;
        inside.get(length..)?.starts_with("'>").then(|| {
            self.at += "dt='".len() + length + 1;
            ("dt", Cow::Borrowed(value))
        })
    }

    fn attribute(&mut self) -> Option<(&'a str, Cow<'a, str>)> {
        let is_name = |c: char| !c.is_whitespace() && !matches!(c, '=' | '>' | '/' | '<' | '"' | '\'');
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || is_name(c));
        self.take_while(char::is_whitespace);
        let rest = self.rest().strip_prefix('=')?;
        self.at += 1;
        let blanks = rest.len() - rest.trim_start().len();
        self.at += blanks;
        let quote = self.rest().chars().next().filter(|c| matches!(c, '"' | '\''))?;
        self.at += 1;
        let inside = self.rest();
        // The name of a map entry may itself hold quotes and angle brackets: only a quote that something sensible
        // follows is the closing one.
        let end = inside.match_indices(quote).map(|(at, _)| at).find(|at| ends_attribute(inside.get(at + 1..)))?;
        self.at += end + 1;
        Some((name, unescape(inside.get(..end)?)?)).filter(|_| !name.is_empty())
    }
}

/// Whether what follows a quote shows that it closed an attribute: the tag's end, or blanks and another attribute.
/// Looks at 64 characters at most, so that a tag full of quotes costs no more than its length.
fn ends_attribute(after: Option<&str>) -> bool {
    let Some(after) = after else { return false };
    if after.starts_with('>') || after.starts_with("/>") {
        return true;
    }
    let mut window = after.chars().take(64).skip_while(|c| c.is_whitespace());
    if !after.starts_with(char::is_whitespace) {
        return false;
    }
    match window.next() {
        Some('>' | '/') => true,
        Some(c) if c.is_alphabetic() || c == '_' => {
            let name_ends_at = window.find(|c| !(c.is_alphanumeric() || matches!(c, ':' | '_' | '-' | '.')));
            name_ends_at == Some('=') && matches!(window.next(), Some('"' | '\''))
        }
        _ => false,
    }
}

/// Replaces entities; an ampersand that begins none stands for itself. None for a reference to what is no character.
fn unescape(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('&') {
        return Some(Cow::Borrowed(raw));
    }
    let mut pieces = raw.split('&');
    let mut text = String::with_capacity(raw.len());
    text.push_str(pieces.next().unwrap_or_default());
    let mut high_surrogate = None;
    for piece in pieces {
        let entity = piece.split_once(';').filter(|(name, _)| name.len() <= 9);
        let number = entity.and_then(|(name, _)| {
            let digits = name.strip_prefix('#')?;
            match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => digits.parse().ok(),
            }
        });
        let character = match (entity.map(|(name, _)| name), number) {
            (_, Some(high @ 0xD800..0xDC00))
                if high_surrogate.is_none() && entity.is_some_and(|(_, r)| r.is_empty()) =>
            {
                high_surrogate = Some(high);
                continue;
            }
            (_, Some(low @ 0xDC00..0xE000)) => {
                char::from_u32(0x1_0000 + ((high_surrogate.take()? - 0xD800) << 10) + (low - 0xDC00))
            }
            (_, Some(number)) => Some(char::from_u32(number)?),
            (Some("lt"), _) => Some('<'),
            (Some("gt"), _) => Some('>'),
            (Some("amp"), _) => Some('&'),
            (Some("quot"), _) => Some('"'),
            (Some("apos"), _) => Some('\''),
            _ => None,
        };
        if high_surrogate.is_some() {
            return None;
        }
        match (character, entity) {
            (Some(character), Some((_, after))) => {
                text.push(character);
                text.push_str(after);
            }
            _ => {
                text.push('&');
                text.push_str(piece);
            }
        }
    }
    high_surrogate.is_none().then_some(Cow::Owned(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Element<'_> {
        read(text, 100).expect(text).remove(0).element
    }

    #[test]
    fn what_ibm_writes() {
        let usr = one("<usr><pByte dt='i1'>-128</pByte><e></e><n xsi:nil='true'></n><i dt=\"i8\">6</i></usr>   ");
        assert_eq!(usr.name, "usr");
        assert_eq!(usr.children[0].attribute("dt"), Some("i1"));
        assert_eq!(usr.children[0].text, "-128");
        assert_eq!(usr.children[1].text, "");
        assert!(usr.children[2].is_nil());
        assert_eq!(usr.children[3].attribute("dt"), Some("i8"));
        assert_eq!(usr.children.len(), 4);
    }

    /// Unescaped names, raw control characters and references beyond the BMP (wire reference, observed, O).
    #[test]
    fn what_is_not_well_formed() {
        let map = one("<map><elt name=\"<x>&\"'\">v</elt><elt name=\"a\" dt='i4'>1</elt></map>");
        assert_eq!(map.children[0].attribute("name"), Some("<x>&\"'"));
        assert_eq!(map.children[0].text, "v");
        assert_eq!(map.children[1].attribute("dt"), Some("i4"));
        assert_eq!(one("<a>\u{1}&#x1f680;&#128640;&#xD83D;&#xDE80;</a>").text, "\u{1}🚀🚀🚀");
        assert_eq!(one("<a>x & y &unknown; < 5 &amp;&lt;</a>").text, "x & y &unknown; < 5 &<");
        assert_eq!(one("\u{feff}<a><![CDATA[<b>]]><!-- c --><?p?></a>\u{feff}").text, "<b>");
        assert_eq!(one("<a b='1'/>").attribute("b"), Some("1"));
    }

    #[test]
    fn what_cannot_be_read() {
        for text in [
            "<a>",
            "<a",
            "<a></b>",
            "</a>",
            "x",
            "<a b=1></a>",
            "<a b='1></a>",
            "<a>&#xD83D;</a>",
            "<a>&#xD83D;x&#xDE80;</a>",
            "<a>&#xDE80;</a>",
            "<a>&#x110000;</a>",
            "<!DOCTYPE a><a/>",
            "<a><!-- </a>",
            "<",
            "<a><",
        ] {
            assert!(read(text, 100).is_err(), "{text}");
        }
    }

    #[test]
    fn roots_keep_their_text() {
        let roots = read(" <a b='1'/>\u{feff}<c>x</c > ", 10).expect("two");
        assert_eq!(roots.iter().map(|root| root.text).collect::<Vec<_>>(), ["<a b='1'/>", "<c>x</c >"]);
    }

    #[test]
    fn bounds() {
        assert!(read(&"<a>".repeat(1000), 10_000).is_err());
        assert_eq!(read(&"<a/>".repeat(11), 10).map_err(|e| e.what), Err("too many elements"));
        let deep = format!("{}{}", "<a>".repeat(MAX_DEPTH), "</a>".repeat(MAX_DEPTH));
        assert!(read(&deep, 100).is_ok());
        // Quotes without end, ends without tags: time grows with the length, not with its square.
        assert!(read(&format!("<a b=\"{}", "\" ".repeat(1_000_000)), 10).is_err());
        assert!(read(&format!("<a>{}", "&#x".repeat(1_000_000)), 10).is_err());
        assert!(read(&format!("<a>{}", "<![CDATA[]]>".repeat(300_000)), 10).is_err());
    }

    proptest::proptest! {
        /// The short ways are the long ones, cut short.
        #[test]
        fn short_ways_read_the_same(text in "(dt='|dt=|i4|r8|bin\\.hex|'>|'|>|/|\"| |\t|é|x:y|_|&|\\PC){0,8}") {
            let long_name = |tag: &mut Tag<'_>| tag.take_while(|c| !c.is_whitespace() && c != '/' && c != '>').len();
            let (mut short, mut long) = (Tag { text: &text, at: 0 }, Tag { text: &text, at: 0 });
            proptest::prop_assert_eq!((short.name().len(), short.at), (long_name(&mut long), long.at));
            let (mut short, mut long) = (Tag { text: &text, at: 0 }, Tag { text: &text, at: 0 });
            short.skip_blanks();
            long.take_while(char::is_whitespace);
            proptest::prop_assert_eq!(short.at, long.at);
            let (mut short, mut long) = (Tag { text: &text, at: 0 }, Tag { text: &text, at: 0 });
            if let Some(read) = short.plain_attribute() {
                proptest::prop_assert_eq!((Some(read), short.at), (long.attribute(), long.at));
            } else {
                proptest::prop_assert_eq!(short.at, 0);
            }
        }

        #[test]
        fn never_panics(text in "(<|>|</|a|b|'|\"|=| |&|;|#x|D83D|!--|\\PC){0,60}") {
            let _ = read(&text, 50);
        }
    }
}
